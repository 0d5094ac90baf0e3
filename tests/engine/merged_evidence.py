"""Recipes for merged packs: whose attestations each source carries, and who signed the whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509

from attest.api.verify import examine
from attest.limits import Limits
from attest.pack.reader import open_pack
from attest.pack.writer import add_attestation
from attest.policy.model import Policy, Signer
from attest.report.model import Report, SourceResult
from attest.statement import pack_statement
from tests.engine.virtual_evidence import ISSUER, Evidence
from tests.engine.virtual_instance import ELSEWHERE, HERE, NOW, ROOT, Json, p256
from tests.pack.merging import made, merged, rewritten

LATER = NOW + timedelta(days=30)

#: An attestation of a source, made for its manifest digest.
Make = Callable[[bytes], bytes]


def by(who: str) -> x509.RFC822Name:
    return x509.RFC822Name(f"{who}@acme.example")


def naming(*names: str) -> Policy:
    """A policy met by any of these people."""
    return Policy.any_of(*(Signer(identity=f"{who}@acme.example", issuer=ISSUER) for who in names))


def signed(digest: bytes, who: str = "ana", **changes: object) -> bytes:
    evidence = Evidence(payload=pack_statement(digest), san=by(who))
    return replace(evidence, **changes).build()  # type: ignore[arg-type]  # any field


def good(digest: bytes) -> bytes:
    return signed(digest)


def of(who: str) -> Make:
    return lambda digest: signed(digest, who)


MERGER = of("merger")
ALL = naming("merger", "ana", "bo")


def impostor(digest: bytes) -> bytes:
    return signed(digest, signing_key=p256("impostor"))


def stranger(digest: bytes) -> bytes:
    return signed(digest, parts=ELSEWHERE, ctlog=ELSEWHERE.ctlog)


def stranger_log(digest: bytes) -> bytes:
    return signed(digest, parts=replace(HERE, rekor1=ELSEWHERE.rekor1))


def key_signed(digest: bytes) -> bytes:
    def change(bundle: Json) -> None:
        del bundle["verificationMaterial"]["certificate"]
        bundle["verificationMaterial"]["publicKey"] = {"hint": "x"}

    return signed(digest, bundle=change)


def other_manifest(_: bytes) -> bytes:
    return signed(hashlib.sha256(b"another manifest").digest())


def edited(edit: Callable[[Json], object], base: Make = good) -> Make:
    """A good attestation with one thing changed after it was signed."""

    def make(digest: bytes) -> bytes:
        bundle: Json = json.loads(base(digest))
        edit(bundle)
        return json.dumps(bundle).encode()

    return make


def merge_of(folder: Path, sources: Mapping[str, Sequence[Make]]) -> Path:
    """An unsigned merged pack, whose sources carry these, sound or not."""
    packs = [
        made(folder / f"{name}.epack", f"acme/{name}", {"data": name.encode()}, replace=True)
        for name in sources
    ]
    path = folder / "all.epack"
    merged(path, *packs, replace=True)

    def carry(manifest: dict[str, Any], _: dict[str, bytes]) -> None:
        for item in manifest["provenance"]["source_packs"]:
            makes = sources[item["stream"].removeprefix("acme/")]
            digest = bytes.fromhex(item["manifest_digest"])
            if makes:
                item["embedded_attestations"] = [json.loads(make(digest)) for make in makes]

    return rewritten(path, carry)


def sign_whole(path: Path, *makes: Make) -> Path:
    """Add attestations of the merged pack itself."""
    with open_pack(path) as pack:
        digest = pack.manifest_digest
    for at, make in enumerate(makes):
        add_attestation(path, f"{at:08}.sigstore.json", make(digest), expect_manifest_digest=digest)
    return path


def judge(
    path: Path, policy: Policy, *, now: datetime = LATER, limits: Limits | None = None
) -> Report:
    return examine(path, policy=policy, trust=ROOT, now=now, limits=limits)


def verdict(
    folder: Path,
    sources: Mapping[str, Sequence[Make]],
    *,
    whole: Sequence[Make] = (MERGER,),
    policy: Policy = ALL,
) -> Report:
    """Merge, sign the whole, and verify it."""
    return judge(sign_whole(merge_of(folder, sources), *whole), policy)


def outcome(report: Report) -> tuple[str, str | None, list[str]]:
    """Result, deciding code, and the status of every source."""
    error = report.error.code if report.error else None
    return report.result, error, [item.status for item in sources_of(report)]


def sources_of(report: Report) -> tuple[SourceResult, ...]:
    return () if report.pack is None else report.pack.sources
