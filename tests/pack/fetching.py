"""What the tests of fetching have in common: a pack with references, fetched or refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import attest
from attest.errors import AttestError
from attest.limits import Limits
from attest.pack.fetch import Internet
from tests.pack.web import HOSTS, Web
from tests.pack.zipbytes import JSON, Item, Zip, manifest, manifest_item

HOST = HOSTS[0]
REPORT = b"%PDF- the report\n"
DIGEST = "sha256:" + hashlib.sha256(REPORT).hexdigest()


def pack_with(*references: JSON) -> Path:
    value = manifest({})
    value["artifacts"] = [
        {"type": "reference", "name": "report", "access": {"policy": "public"}} | reference
        for reference in references
    ]
    path = Path("evidence.epack")
    path.write_bytes(Zip(items=(manifest_item(value), Item(name=b"artifacts/"))).build())
    return path


def fetched(
    web: Web,
    uri: str,
    *,
    allow: tuple[str, ...] | None = None,
    digest: str | None = DIGEST,
    internet: Internet | None = None,
    limits: Limits | None = None,
) -> bytes:
    reference: JSON = {"uri": uri}
    if digest:
        reference["digest"] = digest
    pack = pack_with(reference)
    result = attest.fetch(
        pack,
        "report",
        allow=allow or (f"{HOST}:{web.port}",),
        internet=internet or web.internet(),
        limits=limits,
    )
    assert result.digest == "sha256:" + hashlib.sha256(result.path.read_bytes()).hexdigest()
    assert result.expected == digest
    return result.path.read_bytes()


def refused(web: Web, uri: str, **options: object) -> AttestError:
    """The error of a fetch that must fail and leave nothing behind."""
    with pytest.raises(AttestError) as caught:
        fetched(web, uri, **options)  # type: ignore[arg-type]  # passed on as they came
    assert [path.name for path in Path.cwd().iterdir()] == ["evidence.epack"]
    return caught.value
