"""The fields of a signer: which claims each reads, and where case means nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from attest.policy.issuers import ISSUERS
from attest.policy.match import Fold
from attest.policy.rules import CertificateSigner, FieldName, FieldRule

if TYPE_CHECKING:  # it loads the certificate library, which whoever made an identity has loaded
    from attest.claims import CertificateIdentity

    #: Reads a field's value; None where the certificate does not say it, which matches nothing.
    Read: TypeAlias = Callable[[CertificateIdentity], str | None]

#: Either the full name of a ref, or a commit: what may stand behind a workflow's `@`.
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_GITHUB = ISSUERS["github-actions"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One field: what it says in words, how its value is read, and what of it folds.

    `names` marks names of repositories: they fold where the issuer is GitHub's, which tells no two
    repositories apart by case; other forges may.
    """

    says: str
    read: Read
    fold: Fold = "none"
    names: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class _Workflow:
    """A workflow's URI, taken apart."""

    repository: str
    path: str
    ref: str


def value_of(identity: CertificateIdentity, rule: FieldRule) -> str | None:
    """What a certificate says of a field; None if nothing, and an empty text says nothing.

    Args:
        identity: whom the certificate names.
        rule: says which field, or which claim.
    """
    if rule.name == "claims":
        return identity.claims.get(rule.claim or "") or None
    return FIELDS[rule.name].read(identity) or None


def fold_of(rule: FieldRule, issuer: str) -> Fold:
    """What of a field is compared without regard to case, under an issuer's URL."""
    if rule.name == "claims":
        return "none"
    field = FIELDS[rule.name]
    # An enterprise of GitHub's may have an issuer of its own, below the common one.
    if field.names and (issuer == _GITHUB or issuer.startswith(f"{_GITHUB}/")):
        return "all"
    return field.fold


def needs_own_workflow(rule: CertificateSigner) -> bool:
    """Whether a rule leaves unsaid whose workflow signs, so that it must be the repository's own.

    What runs in a repository may be another one's reusable workflow, which must be named, and by
    its repository: anybody's may have a workflow of that path. Where only claims tell the source,
    the subject or the claim of it names who signs too.

    Source: design, section 7 "Fields and claims"; docs/adr/0018, decision 5.
    """
    written = {field.claim or field.name for field in rule.fields}
    if "signer-repository" in written:
        return False
    return not written.isdisjoint(_SOURCE) or written.isdisjoint(_SIGNER)


def has_own_workflow(identity: CertificateIdentity) -> bool:
    """Whether the workflow that signed is the one that was run, and of the same repository."""
    signer = identity.claims.get("build-signer-uri")
    return (
        identity.kind == "uri"
        and signer == identity.subject
        and signer == identity.claims.get("build-config-uri")
        and _path_inside(identity) is not None
    )


_SOURCE: frozenset[str] = frozenset({"repository", "repository-id", "owner-id", "workflow"})
_SIGNER: frozenset[str] = frozenset({"subject", "email", "build-signer-uri"})


def _claim(name: str) -> Read:
    return lambda identity: identity.claims.get(name)


def _email(identity: CertificateIdentity) -> str | None:
    return identity.subject if identity.kind == "email" else None


def _repository(identity: CertificateIdentity) -> str | None:
    return _without_host(identity.claims.get("source-repository-uri"))


def _path_inside(identity: CertificateIdentity) -> str | None:
    """Path, inside the repository, of the workflow that was run; None if it lies elsewhere."""
    config = identity.claims.get("build-config-uri", "")
    repository = identity.claims.get("source-repository-uri")
    if not repository or not config.startswith(f"{repository}/"):
        return None
    # GitLab sets the path off by a second slash.
    split = _split_ref(config.removeprefix(f"{repository}/").removeprefix("/"))
    return split[0] if split is not None and "//" not in split[0] else None


def _signer(identity: CertificateIdentity) -> _Workflow | None:
    """The workflow that signed, which the certificate must name twice."""
    uri = identity.claims.get("build-signer-uri")
    if identity.kind != "uri" or uri != identity.subject:
        return None
    split = _split_ref(_without_host(uri) or "")
    if split is None:
        return None
    name, ref = split
    repository, slashes, path = name.partition("//")  # GitLab, whose groups nest
    if not slashes:
        owner, _, rest = name.partition("/")
        repository, _, path = rest.partition("/")
        repository = f"{owner}/{repository}"
    return _Workflow(repository=repository, path=path, ref=ref) if path else None


def _split_ref(text: str) -> tuple[str, str] | None:
    """A workflow's path and ref; None where it is not certain which `@` parts them.

    Branches may be named `x@refs/heads/main`, and who may make a branch shall not choose what is
    taken for the ref.
    """
    path, mark, ref = text.partition("@refs/")
    if mark:
        return None if "@refs/" in ref else (path, f"refs/{ref}")
    path, _, ref = text.rpartition("@")
    return (path, ref) if _COMMIT.fullmatch(ref) else None


def _without_host(uri: str | None) -> str | None:
    """The path of an `https` URI; None if it is no such URI or has none."""
    if uri is None or not uri.startswith("https://"):
        return None
    return uri.removeprefix("https://").partition("/")[2] or None


def _signer_repository(identity: CertificateIdentity) -> str | None:
    signer = _signer(identity)
    return None if signer is None else signer.repository


def _signer_workflow(identity: CertificateIdentity) -> str | None:
    signer = _signer(identity)
    return None if signer is None else signer.path


def _signer_ref(identity: CertificateIdentity) -> str | None:
    signer = _signer(identity)
    return None if signer is None else signer.ref


#: Source: design, section 7 "Fields and claims"; sigstore/fulcio, docs/oid-info.md.
FIELDS: Mapping[FieldName, Field] = {
    "subject": Field(
        says="the subject alternative name, of whatever kind", read=lambda item: item.subject
    ),
    "email": Field(says="the e-mail address that was proven", read=_email, fold="domain"),
    "repository": Field(
        says="name of the repository whose workflow ran, without host", read=_repository, names=True
    ),
    "repository-id": Field(
        says="number of that repository, which survives renames",
        read=_claim("source-repository-identifier"),
    ),
    "owner-id": Field(
        says="number of its owner", read=_claim("source-repository-owner-identifier")
    ),
    "workflow": Field(says="path of the workflow in that repository", read=_path_inside),
    "ref": Field(says="branch or tag that it ran on", read=_claim("source-repository-ref")),
    "commit": Field(says="commit that it ran on", read=_claim("source-repository-digest")),
    "signer-repository": Field(
        says="repository of the reusable workflow that signed", read=_signer_repository, names=True
    ),
    "signer-workflow": Field(says="path of that reusable workflow", read=_signer_workflow),
    "signer-ref": Field(says="branch, tag or commit it was taken from", read=_signer_ref),
    "runner": Field(says="kind of machine that ran it", read=_claim("runner-environment")),
    "trigger": Field(says="event that started it", read=_claim("build-trigger")),
    "visibility": Field(
        says="whether the repository was public", read=_claim("source-repository-visibility")
    ),
    "environment": Field(says="environment deployed to", read=_claim("deployment-environment")),
}
