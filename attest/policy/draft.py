"""Draft a policy file: the text of one that loads, from signers as they are known."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from json import dumps
from textwrap import wrap
from typing import TypeAlias

from attest.claims import CertificateIdentity
from attest.keys import PublicKey
from attest.policy.fields import FIELDS
from attest.policy.issuers import ISSUERS
from attest.policy.lint import FIRST_USE
from attest.policy.load import parse_policy
from attest.policy.rules import FieldName

#: After a year somebody shall look again.
_LIFETIME = timedelta(days=365)
#: What is written of a workflow, if its certificate says it; the rest may change from run to run.
_KEPT: tuple[FieldName, ...] = (
    "repository",
    "repository-id",
    "workflow",
    "ref",
    "environment",
    "runner",
)
_REUSED: tuple[FieldName, ...] = ("signer-repository", "signer-workflow", "signer-ref")
#: Texts that YAML reads as themselves without quotes.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./@-]*|\.[A-Za-z][A-Za-z0-9_./@-]*")
#: Words that would be something else than text.
_WORDS = frozenset({"null", "true", "false"})

#: A field and its acceptable values; a star in one is a pattern, if its author wrote it.
Member: TypeAlias = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class DraftedSigner:
    """A signer to be written: a name to begin with, and a key or fields."""

    name: str
    members: tuple[Member, ...] = ()
    key: PublicKey | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """The evidence that a policy is drafted from: its name, stream, and predicate types."""

    name: str
    stream: str | None
    predicate_types: tuple[str, ...]


def signer_of(identity: CertificateIdentity) -> DraftedSigner:
    """A signer who is exactly whom a certificate names, in the words of a policy.

    Args:
        identity: of a certificate that verified.
    """
    issuer = next((alias for alias, url in ISSUERS.items() if url == identity.issuer), None)
    members: list[Member] = [("issuer", (issuer or identity.issuer,))]
    if identity.kind == "email":
        members.append(("email", (_literally(identity.subject),)))
        return DraftedSigner(name=identity.subject.partition("@")[0], members=tuple(members))
    read = {name: field.read(identity) for name, field in FIELDS.items()}
    workflow = read["workflow"]
    if read["repository"] is None or workflow is None:
        members.append(("subject", (_literally(identity.subject),)))
        return DraftedSigner(name="signer", members=tuple(members))
    reused = read["signer-repository"] != read["repository"] or read["signer-workflow"] != workflow
    kept = {name: read[name] for name in (*_KEPT, *(_REUSED if reused else ()))}
    members += [(name, (_literally(value),)) for name, value in kept.items() if value is not None]
    stem = workflow.rpartition("/")[2].partition(".")[0]
    return DraftedSigner(name=stem or "workflow", members=tuple(members))


def draft(signers: Sequence[DraftedSigner], *, now: datetime, origin: Origin | None = None) -> str:
    """The text of a policy by which all of these signers must have signed.

    Args:
        signers: at least one; of those that are equal, one is kept.
        now: current time (UTC); the policy expires a year later.
        origin: the evidence that they were read from, which then is trusted on first use.

    Raises:
        PolicyFileError: the signers make no policy, as where a field takes no such value.
    """
    text = "\n".join(_lines(signers, now, origin)) + "\n"
    parse_policy(text.encode(), file="draft", folder=None)
    return text


def _lines(signers: Sequence[DraftedSigner], now: datetime, origin: Origin | None) -> Iterator[str]:
    named = _named(signers)
    yield "# yaml-language-server: $schema=attest-policy-v1.schema.json"
    if origin is not None:
        yield "#"
        yield "# Drafted from evidence that was signed by whoever they are. Make sure that they are"
        yield "# the right signers, then change the description: `attest policy lint` reminds you."
    yield "version: 1"
    if origin is not None:
        yield f"description: {_scalar(f'{FIRST_USE}: drafted from {origin.name}')}"
    yield f"expires: {now + _LIFETIME:%Y-%m-%dT00:00:00Z}"
    yield "signers:"
    for name, signer in named.items():
        yield f"  {name}:"
        if signer.key is not None:
            yield "    key: |"
            yield from (f"      {line}" for line in _pem(signer.key))
        for member, values in signer.members:
            written = [_value(value) for value in values]
            yield f"    {member}: {written[0] if len(written) == 1 else _listed(written)}"
    yield "require:"
    yield from (f"  - {name}" for name in named)
    if origin is not None and (origin.stream is not None or origin.predicate_types):
        yield "evidence:"
        if origin.stream is not None:
            yield f"  stream: {_value(_literally(origin.stream))}"
        if origin.predicate_types:
            types = [_scalar(item) for item in origin.predicate_types]
            yield f"  predicate-type: {_listed(types)}"


def _named(signers: Sequence[DraftedSigner]) -> dict[str, DraftedSigner]:
    """The signers by names that a policy takes, each once."""
    named: dict[str, DraftedSigner] = {}
    seen: set[tuple[object, ...]] = set()
    for signer in signers:
        same = (signer.members, signer.key)
        if same in seen:
            continue
        seen.add(same)
        base = re.sub(r"[^A-Za-z0-9_-]+", "-", signer.name).strip("-_")[:50] or "signer"
        base = f"{base}-signer" if base.lower() in _WORDS or not base[0].isalpha() else base
        name, number = base, 1
        while name in named:
            number += 1
            name = f"{base}-{number}"
        named[name] = signer
    return named


def _literally(value: str) -> str:
    """A text that was read from a certificate, marked so that a star in it is no pattern."""
    return f"\0{value}" if "*" in value else value


def _value(value: str) -> str:
    if not value.startswith("\0"):
        return _scalar(value)
    quoted = re.sub(r"([!-/:-@\[-^`{-~])", r"\\\1", value[1:])
    return f"{{regex: {dumps(quoted)}}}"


def _scalar(text: str) -> str:
    plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS
    return text if plain or re.fullmatch("https://[A-Za-z0-9_./-]+", text) else dumps(text)


def _listed(written: Sequence[str]) -> str:
    return f"[{', '.join(written)}]"


def _pem(key: PublicKey) -> Iterator[str]:
    yield "-----BEGIN PUBLIC KEY-----"
    yield from wrap(b64encode(key.spki).decode("ascii"), 64)
    yield "-----END PUBLIC KEY-----"
