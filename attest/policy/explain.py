"""Why a signer is not the one who was expected: the parts in which the two differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from attest.policy.model import Signer

#: What a subject is, by the first of its parts.
_KINDS = {"name": "an e-mail address", "host": "a workflow", "subject": "another name"}


def differences(signers: Iterable[Signer], subject: str, issuer: str) -> tuple[str, ...]:
    """How a certificate's identity differs from that of the signer who is most like it.

    Args:
        signers: who would have been accepted; those who are keys say nothing here.
        subject: the certificate's subject.
        issuer: URL of the OIDC issuer that vouched for it.

    Returns:
        A line for each part that differs; nothing where no signer has an identity.
    """
    every = [
        _differing(
            {**_parts(signer.identity), "issuer": signer.issuer},
            {**_parts(subject), "issuer": issuer},
        )
        or _differing({"spelling": signer.identity}, {"spelling": subject})
        for signer in signers
        if signer.identity is not None and signer.issuer is not None
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
