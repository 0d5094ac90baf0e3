"""Checkpoints: signed notes that commit a transparency log to a root (step 5)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature

from attest.errors import MalformedEvidence, VerificationFailed
from attest.keys import PublicKey
from attest.strictjson import decode_base64
from attest.trust.root import Log

_RULE = "step 5"
_CODE = "invalid_checkpoint"
_SIGNATURE = re.compile(r"\u2014 ([^ +\n]+) ([A-Za-z0-9+/]+={0,2})")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_ROOT_SIZE = 32
_HINT_SIZE = 4
#: A note of a busy log has a few cosignatures; this bounds the work, not the use.
_MAX_LINES = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteSignature:
    """One signature line: the signer's name, the key hint (4 raw bytes), the signature."""

    name: str
    hint: bytes
    signature: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class UntrustedCheckpoint:
    """A checkpoint as read: `signed` is the text that its signatures cover."""

    origin: str
    tree_size: int
    root_hash: bytes
    signed: bytes
    signatures: tuple[NoteSignature, ...]


def parse_checkpoint(text: str, *, where: str) -> UntrustedCheckpoint:
    """Parse a signed note with a checkpoint.

    Args:
        text: the whole note.
        where: its place in the bundle.

    Raises:
        MalformedEvidence: `invalid_checkpoint`.

    Source: C2SP tlog-checkpoint v1.0.0 and signed-note v1.0.0.
    """
    body, blank, tail = text.partition("\n\n")
    lines = body.split("\n")
    if not blank or len(lines) < 3 or not tail.endswith("\n"):  # origin, size, root
        raise _malformed("is not a signed note", where)
    origin, size, root = lines[:3]
    if not origin or not _SIZE.fullmatch(size):
        raise _malformed("has no origin and tree size", where)
    root_hash = decode_base64(root, where=where, code=_CODE)
    if len(root_hash) != _ROOT_SIZE:
        raise _malformed("its root hash does not have 32 bytes", where)
    signatures = tail.removesuffix("\n").split("\n")
    if len(signatures) > _MAX_LINES:
        raise _malformed(f"has more than {_MAX_LINES} signature lines", where)
    return UntrustedCheckpoint(
        origin=origin,
        tree_size=int(size),
        root_hash=root_hash,
        signed=(body + "\n").encode("utf-8"),
        signatures=tuple(_signature(line, where) for line in signatures),
    )


def _signature(line: str, where: str) -> NoteSignature:
    match = _SIGNATURE.fullmatch(line)
    if match is None:
        raise _malformed("has a line that is no signature", where)
    blob = decode_base64(match[2], where=where, code=_CODE)
    if len(blob) <= _HINT_SIZE:
        raise _malformed("has an empty signature", where)
    return NoteSignature(name=match[1], hint=blob[:_HINT_SIZE], signature=blob[_HINT_SIZE:])


def verify_checkpoint(
    checkpoint: UntrustedCheckpoint, logs: Sequence[Log], *, name: str, where: str
) -> tuple[Log, ...]:
    """Check that the log signed the checkpoint; every listing of it whose key did.

    Lines of other signers, such as witnesses, are ignored in any order. Every line under the
    log's own name and key hint must verify.

    Args:
        checkpoint: as parsed.
        logs: listings in the trusted root with the log's id; one key may have several windows.
        name: the name under which the log signs.
        where: its place in the bundle.

    Raises:
        VerificationFailed: `invalid_checkpoint`.
    """
    signers: list[Log] = []
    for line in checkpoint.signatures:
        named = [log for log in logs if line.name == name and log.hint == line.hint]
        if named:
            signers += _verified(checkpoint.signed, line, named, where)
    if not signers:
        raise VerificationFailed(
            _CODE, f"is not signed by the key of {name!r}", where=where, rule=_RULE
        )
    return tuple(log for log in logs if log in signers)


def _verified(signed: bytes, line: NoteSignature, logs: Sequence[Log], where: str) -> list[Log]:
    signers = signers_of(line.signature, signed, logs)
    if not signers:
        raise VerificationFailed(_CODE, "the log's signature is wrong", where=where, rule=_RULE)
    return signers


def signers_of(signature: bytes, signed: bytes, logs: Sequence[Log]) -> list[Log]:
    """The listings of a log with whose key a signature verifies; each key is tried once."""
    verdicts: dict[PublicKey, bool] = {}
    for key in (log.key for log in logs):
        if key not in verdicts:
            try:
                key.verify(signature, signed)
            except InvalidSignature:
                verdicts[key] = False
            else:
                verdicts[key] = True
    return [log for log in logs if verdicts[log.key]]


def _malformed(message: str, where: str) -> MalformedEvidence:
    return MalformedEvidence(_CODE, message, where=where, rule=_RULE)
