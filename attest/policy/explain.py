"""A policy in words, and the parts in which a signer differs from the one who was expected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import assert_never
from urllib.parse import urlsplit

from attest.policy.qualify import shown
from attest.policy.rules import (
    AnySigner,
    CertificateSigner,
    KeySigner,
    MaxAgeRule,
    PolicyFile,
    PredicateTypeRule,
    Requirement,
    Revoked,
    SignerRule,
    StreamRule,
    Window,
)

#: What a subject is, by the first of its parts.
_KINDS = {"name": "an e-mail address", "host": "a workflow", "subject": "another name"}


def explain_policy(policy: PolicyFile) -> tuple[str, ...]:
    """Everything that a policy will enforce, in words.

    Args:
        policy: as loaded.

    Returns:
        Lines, indented by what they belong to; texts of the file in them are raw, renderers
        escape them.
    """
    return tuple(_policy(policy))


def _policy(policy: PolicyFile) -> Iterator[str]:
    if policy.file is not None:
        yield f"policy {policy.file}"
    if policy.sha256 is not None:
        yield f"  sha256: {policy.sha256.hex()}"
    for line in (policy.description or "").strip().split("\n"):
        if line:
            yield f"  says of itself: {line}"
    if policy.serial is not None:
        yield f"  edition: {policy.serial}"
    yield f"  expires: {'never' if policy.expires is None else _utc(policy.expires)}"
    yield f"under the roots of: {', '.join(policy.trust)}"
    yield "must have signed, somebody else for each line:"
    yield from (f"  {requirement_words(line)}" for line in policy.require)
    for rule in policy.signers:
        yield from _signer(rule)
    yield from _evidence(policy)
    if any(isinstance(rule, KeySigner) for rule in policy.signers):
        yield f"signatures by keys: log entry {policy.log}, verified time {policy.timestamp}"
    yield "signatures by others: " + (
        "none may be there" if policy.others == "forbid" else "are reported, and decide nothing"
    )
    yield from _revocations(policy)


def requirement_words(line: Requirement) -> str:
    """A line of `require` in words."""
    names = ", ".join(line.of)
    if len(line.of) == 1 and line.at_least <= 1:
        return names
    return f"at least {max(1, line.at_least)} of: {names}"


def _signer(rule: SignerRule) -> Iterator[str]:
    match rule:
        case AnySigner():
            yield f"{rule.name} is anybody at all (unsafe)"
        case KeySigner():
            yield f"{rule.name} is a key:"
            yield f"  sha256 of its SPKI: {rule.key.key_id.hex()}"
            yield from _window(rule.window)
        case CertificateSigner():
            yield f"{rule.name} has a certificate that says all of this:"
            yield f"  issuer: {rule.issuer}"
            for field in rule.fields:
                yield f"  {field.claim or field.name}: {_either(map(shown, field.any_of))}"
            if not _names_a_signer(rule):
                yield "  signer-workflow: that workflow itself, no reusable one"
            yield from _window(rule.window)
        case _:
            assert_never(rule)


def _names_a_signer(rule: CertificateSigner) -> bool:
    from attest.policy.fields import needs_own_workflow

    return not needs_own_workflow(rule)


def _window(window: Window) -> Iterator[str]:
    if window.not_before is not None:
        yield f"  signed from: {_utc(window.not_before)}"
    if window.not_after is not None:
        yield f"  signed until: {_utc(window.not_after)}"


def _evidence(policy: PolicyFile) -> Iterator[str]:
    if policy.evidence.rules:
        yield "of the evidence:"
    for rule in policy.evidence.rules:
        match rule:
            case StreamRule():
                yield f"  stream: {_either(map(shown, rule.any_of))}"
            case PredicateTypeRule():
                yield f"  predicate type: {_either(rule.any_of)}"
            case MaxAgeRule():
                yield f"  signed at most {_span(rule.limit)} ago"
            case _:
                assert_never(rule)


def _span(span: timedelta) -> str:
    """A length of time as the file has it: in the largest unit that gives a whole number."""
    seconds = int(span.total_seconds())
    units = (("days", 86_400), ("hours", 3_600), ("minutes", 60), ("seconds", 1))
    name, size = next(unit for unit in units if seconds % unit[1] == 0)
    return f"{seconds // size} {name}"


def _revocations(policy: PolicyFile) -> Iterator[str]:
    lists: Mapping[str, Sequence[Revoked]] = {
        "key": policy.revoked.keys,
        "certificate": policy.revoked.certificates,
        "identity": policy.revoked.identities,
        "log entry": policy.revoked.log_entries,
    }
    if any(lists.values()):
        yield "revoked:"
    for what, entries in lists.items():
        for entry in entries:
            since = "" if entry.since is None else f", from {_utc(entry.since)} on"
            yield f"  {what} {entry.value}{since}"


def _either(texts: Iterable[str]) -> str:
    return " or ".join(texts)


def _utc(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def differences(signers: Iterable[tuple[str, str]], subject: str, issuer: str) -> tuple[str, ...]:
    """How a certificate's identity differs from that of the signer who is most like it.

    Args:
        signers: subject and issuer of whoever would have been accepted.
        subject: the certificate's subject.
        issuer: URL of the OIDC issuer that vouched for it.

    Returns:
        A line for each part that differs; nothing where no signer has an identity.
    """
    every = [
        _differing(
            {**_parts(identity), "issuer": vouching},
            {**_parts(subject), "issuer": issuer},
        )
        or _differing({"spelling": identity}, {"spelling": subject})
        for identity, vouching in signers
    ]
    nearest = min(every, key=lambda item: ("kind" in item, len(item)), default={})
    return tuple(f"differs in {part}: {how}" for part, how in nearest.items())


def _differing(expected: Mapping[str, str], found: Mapping[str, str]) -> dict[str, str]:
    """How the parts that differ do so, by name."""
    if expected.keys() != found.keys():
        # An address and a URL have only these to compare.
        expected, found = (
            {"kind": _KINDS[next(iter(parts))], "issuer": parts["issuer"]}
            for parts in (expected, found)
        )
    return {
        part: f"expected {value or 'none'}, found {found[part] or 'none'}"
        for part, value in expected.items()
        if value != found[part]
    }


def _parts(subject: str) -> dict[str, str]:
    """The parts of an e-mail address or of a workflow's URL, by name."""
    if "://" in subject:
        return _workflow(subject)
    name, at, domain = subject.rpartition("@")
    return {"name": name, "e-mail domain": domain} if at else {"subject": subject}


def _workflow(subject: str) -> dict[str, str]:
    """`https://HOST/OWNER/NAME/PATH@REF`; on GitLab `//` stands before the path instead."""
    url, _, ref = subject.partition("@")
    try:
        split = urlsplit(url)
    except ValueError:
        return {"subject": subject}
    path = split.path.lstrip("/")
    if "//" in path:
        repository, _, workflow = path.partition("//")
    else:
        owner, name, workflow = (*path.split("/", 2), "", "")[:3]
        repository = f"{owner}/{name}"
    return {
        "host": split.netloc,
        "repository": repository,
        "workflow": workflow,
        "ref": ref,
    }
