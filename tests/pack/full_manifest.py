"""A manifest that uses every field, to have one value at a time written differently."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable

from attest.errors import AttestError
from attest.pack.manifest import manifest_digest, parse_manifest
from tests.pack.zipbytes import JSON, manifest

DIGEST = "sha256:" + "1" * 64
FULL: JSON = manifest({}) | {
    "sources": [{"name": "github", "binary_digest": DIGEST, "artifacts": 1}],
    "artifacts": [
        {
            "type": "embedded",
            "path": "artifacts/a.json",
            "digest": DIGEST,
            "size": 1,
            "collected_at": "2026-01-20T14:00:00Z",
            "metadata": {"inner": [{"key": 1}]},
        },
        {
            "type": "reference",
            "name": "r",
            "uri": "https://x.example/",
            "access": {"policy": "public"},
            "digest": DIGEST,
        },
    ],
    "provenance": {
        "type": "merged",
        "merged_at": "2026-01-20T14:00:00Z",
        "source_packs": [
            {
                "stream": "s",
                "pack_digest": DIGEST,
                "manifest_digest": "2" * 64,
                "artifacts": 1,
                "embedded_attestations": [
                    {
                        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
                        "verificationMaterial": {"any": 1},
                        "dsseEnvelope": {"any": 1},
                    }
                ],
            }
        ],
    },
    "profile_lock": [{"id": "a/b@v1", "digest": DIGEST}],
}
PACK = ("provenance", "source_packs", 0)
MARK = "@mark@"


def written(*path: str | int, as_json: str) -> bytes:
    """A full manifest with the value at a path written exactly so."""
    value: object = copy.deepcopy(FULL)
    at = value
    for key in path[:-1]:
        at = at[key]  # type: ignore[index]  # a path into our own document
    at[path[-1]] = MARK  # type: ignore[index]  # as above
    return json.dumps(value).replace(json.dumps(MARK), as_json).encode()


def code_of(call: Callable[[], object]) -> str | None:
    try:
        call()
    except AttestError as error:
        return error.code
    return None


def code_of_manifest(data: bytes) -> str | None:
    def read() -> None:
        parse_manifest(data)
        manifest_digest(data)

    return code_of(read)
