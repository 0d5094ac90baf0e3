"""How much a signer rule lets in: owners, repositories, workflows and refs that nobody chose."""

from __future__ import annotations

import re
from collections.abc import Sequence

from attest.policy.issuers import ISSUERS
from attest.policy.match import matches
from attest.policy.rules import (
    CertificateSigner,
    FieldName,
    FieldRule,
    Pattern,
    Requirement,
    SignerRule,
)

#: Domains where anybody gets an address by asking.
_SHARED_DOMAINS = re.compile(
    r"(163|aol|duck|fastmail|gmx|googlemail|gmail|hotmail|icloud|live|mac|mail|me|msn|outlook"
    r"|proton|protonmail|qq|tutanota|users\.noreply\.github|yahoo|yandex|zoho)\.com"
    r"|(free|laposte|orange)\.fr|gmx\.(at|ch|de|net)|libero\.it|(mail|yandex)\.ru|proton\.me"
    r"|(posteo|t-online|web)\.de|yahoo\.co\.(jp|uk)"
)
#: What a pattern matches that takes any branch, and so that of whoever may push one.
_ANY_BRANCH = ("refs/heads/attest-lint/unreviewed", "refs/heads/attest-lint", "refs/pull/1/merge")
_CI = (ISSUERS["github-actions"], ISSUERS["gitlab"])
_WORKFLOW_URIS = ("build-signer-uri", "build-config-uri")
_REPOSITORIES: tuple[FieldName, ...] = ("repository", "signer-repository")
#: Pieces of a regular expression that a glob can say too, and what it says.
_PIECE = re.compile(
    r"(?P<plain>[\w/@:~%=, -]+)|\\(?P<quoted>[^\w])|(?P<all>\.\*)|(?P<part>\[\^/\]\*)"
)


def is_ci(rule: CertificateSigner) -> bool:
    """Whether a rule names jobs of a CI service whose certificates say where they ran."""
    return any(rule.issuer == issuer or rule.issuer.startswith(f"{issuer}/") for issuer in _CI)


def email_is_open_to_all(pattern: Pattern) -> bool:
    """Whether a pattern matches e-mail addresses that anybody can get."""
    local, at, domain = pattern.text.removesuffix("$").rpartition("@")
    if pattern.kind == "exact" or not at or not _is_open(pattern, local):
        return False
    plain = domain.replace("\\", "").lower()
    return bool(_SHARED_DOMAINS.fullmatch(plain)) or plain.startswith(("*", ".*", ".+", "[^"))


def open_owner(rule: CertificateSigner, field: FieldRule, pattern: Pattern) -> bool:
    """Whether a pattern leaves open who owns the repository, and nothing else says it."""
    pinned = _written(rule, "repository-id") or _written(rule, "owner-id")
    if pinned and field.name == "repository":
        return False
    found = _repository_of(field, pattern)
    return found is not None and _is_open(pattern, found.partition("/")[0])


def open_repository(rule: CertificateSigner, field: FieldRule, pattern: Pattern) -> bool:
    """Whether a pattern matches repositories that are not there yet, and nothing else says it."""
    if field.name == "repository" and _written(rule, "repository-id"):
        return False
    found = _repository_of(field, pattern)
    return found is not None and _is_open(pattern, found)


def names_no_repository(rule: CertificateSigner) -> bool:
    """Whether a rule for CI jobs says of no repository that they run there.

    Who names only the reusable workflow takes whoever calls it.
    """
    known = {"repository", "repository-id", "subject"}
    claims = {"source-repository-uri", "source-repository-identifier", "token-subject"}
    return not any(field.name in known or field.claim in claims for field in rule.fields)


def open_workflow(rule: CertificateSigner) -> bool:
    """Whether any workflow of the repository will do."""
    return all(
        any(_is_any_path(field, pattern) for pattern in field.any_of)
        for field in rule.fields
        if field.name in ("workflow", "signer-workflow", "subject") or field.claim in _WORKFLOW_URIS
    )


def every_ref(rule: CertificateSigner) -> bool:
    """Whether a rule takes any branch, as far as ref, commit and subject say."""
    return all(
        any(_is_any_branch(pattern, uri=field.name == "subject") for pattern in field.any_of)
        for field in rule.fields
        if field.name in ("commit", "ref", "subject")
    )


def as_glob(pattern: Pattern) -> str | None:
    """The text or glob that says the same as a regular expression, if there is one."""
    if pattern.kind != "regex":
        return None
    text, made, at = pattern.text.removeprefix("^").removesuffix("$"), "", 0
    while at < len(text):
        piece = _PIECE.match(text, at)
        if piece is None or piece["quoted"] == "*":
            return None
        made += piece["plain"] or piece["quoted"] or ("**" if piece["all"] else "*")
        at = piece.end()
        if text[at : at + 1] in ("?", "+", "{") or (text[at : at + 1] == "*" and piece["plain"]):
            return None
    return made if made and "***" not in made else None


def repository_alone(line: Requirement, rules: Sequence[SignerRule]) -> str | None:
    """A repository whose workflows alone can fill every slot of a line, if there is one."""
    files: dict[str, set[str]] = {}
    for rule in rules:
        if isinstance(rule, CertificateSigner) and is_ci(rule):
            sources = _written(rule, "repository") or _written(rule, "repository-id")
            known = _written(rule, "signer-workflow") or _written(rule, "workflow")
            # A pattern, or nothing, stands for as many as somebody cares to write.
            found = known or [f"{rule.name} {number}" for number in range(line.at_least)]
            for source in sources or ["one repository"]:
                files.setdefault(source.casefold(), set()).update(found)
    return next((name for name, known in files.items() if len(known) >= line.at_least), None)


def _written(rule: CertificateSigner, name: FieldName) -> list[str]:
    """The values of a field, if all of them are written out."""
    for field in rule.fields:
        if field.name == name and all(item.kind == "exact" for item in field.any_of):
            return [item.text for item in field.any_of]
    return []


def _repository_of(field: FieldRule, pattern: Pattern) -> str | None:
    """The part of a pattern that names a repository; None if it is about something else."""
    text = pattern.text.removeprefix("^").removesuffix("$")
    if pattern.kind == "regex":
        text = _without_quotes(text)
    if field.name in _REPOSITORIES:
        return text
    if field.name != "subject" and field.claim not in ("build-signer-uri", "source-repository-uri"):
        return None
    if "://" not in text:
        # A star where `https://` stands leaves everything open.
        is_open = text.startswith(("*", ".*", ".+")) and ("/" in text or not text.strip(".*+"))
        return text if is_open else None
    path = text.partition("://")[2].partition("/")[2]
    return "/".join(path.split("/")[:2])


def _is_open(pattern: Pattern, part: str) -> bool:
    """Whether a part of a pattern can be anything."""
    signs = {"exact": "", "glob": "*", "regex": "*+{"}[pattern.kind]
    return any(
        sign in (part if pattern.kind == "glob" else _without_quotes(part)) for sign in signs
    )


def _without_quotes(regex: str) -> str:
    """A regular expression in which what stands for itself is no sign any more."""
    regex = regex.replace("[^/]", ".")
    return re.sub(r"\\(.)", lambda found: found[1] if found[1] in "/:@" else "_", regex)


def _is_any_path(field: FieldRule, pattern: Pattern) -> bool:
    """Whether the path of a workflow in a pattern can be anything."""
    text = pattern.text
    if "workflow" not in field.name:  # a URI: the path is what stands behind owner and name
        before, scheme, path = text.partition("@")[0].partition("://")
        text = "/".join(path.split("/")[3:]) if scheme else before
    return pattern.kind != "exact" and not text.strip(".*+/$^")


def _is_any_branch(pattern: Pattern, *, uri: bool) -> bool:
    text = pattern.text
    if uri:
        _, mark, text = text.rpartition("@")
        if not mark:
            return pattern.kind != "exact"
        if pattern.kind == "regex":  # a piece of it may be none
            return bool(re.match(r"(refs/|refs/heads/)?\.[*+]", text))
    return any(matches(Pattern(kind=pattern.kind, text=text), probe) for probe in _ANY_BRANCH)
