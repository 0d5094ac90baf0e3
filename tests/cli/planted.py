"""Attestations that scenarios plant in packs beside those that the command made."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from attest.pack.reader import open_pack
from attest.pack.writer import add_attestation
from tests.engine.merged_evidence import key_signed, stranger
from tests.engine.virtual_instance import b64


def plant(path: Path, kind: str) -> None:
    """Put an attestation of some kind, or those of another pack, into a pack."""
    with open_pack(path) as pack:
        digest, count = pack.manifest_digest, len(pack.attestation_names)
    for at, data in enumerate(_made(path, kind, digest), count):
        name = f"planted{at}.sigstore.json"
        add_attestation(path, name, data, expect_manifest_digest=digest)


def _made(path: Path, kind: str, digest: bytes) -> list[bytes]:
    strangers: Mapping[str, Callable[[bytes], bytes]] = {"stranger": stranger, "key": key_signed}
    if kind in strangers:
        return [strangers[kind](digest)]
    if kind == "forged":
        return [_forged(data) for data in _read(path)[:1]]
    if kind.endswith(".sigstore.json"):
        return [Path(kind).read_bytes()]
    return _read(Path(kind))


def _read(path: Path) -> list[bytes]:
    with open_pack(path) as pack:
        return [pack.read_attestation(name) for name in pack.attestation_names]


def _forged(data: bytes) -> bytes:
    """The same statement, certificate and log entry, with another signature."""
    bundle = json.loads(data)
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = b64(b"no signature")
    return json.dumps(bundle).encode()
