"""A file that a key signed, for scenarios: its bundles, the keys, and the root to trust."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tests.engine.virtual_evidence import V1_MESSAGE, stamp
from tests.engine.virtual_instance import p256, root_json


def sign_by_key(path: Path) -> None:
    """Sign a file by key and by Ana's certificate, and write all that verifying can take.

    Written are `FILE.sigstore.json` by `signer.pub`, `both.jsonl` with Ana's too, `other.pub`,
    `signer.pem` (private), `signer.crt`, `two.pub` and `trusted_root.json`.
    """
    folder, evidence = path.parent, replace(V1_MESSAGE, artifact=path.read_bytes())
    signer, other = p256("leaf"), p256("another signer")
    by_key = replace(evidence, by_key=True, timestamps=[stamp()]).build()
    public = [
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        for key in (signer, other)
    ]
    private = signer.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for name, data in {
        f"{path.name}.sigstore.json": by_key,
        "both.jsonl": by_key + b"\n" + evidence.build() + b"\n",
        "signer.pub": public[0],
        "other.pub": public[1],
        "two.pub": b"".join(public),
        "signer.pem": private,
        "signer.crt": evidence.certificate().public_bytes(Encoding.PEM),
        "trusted_root.json": json.dumps(root_json()).encode(),
    }.items():
        (folder / name).write_bytes(data)
