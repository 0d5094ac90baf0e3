"""The golden artefacts in `testdata/sei`: `python -m tests.sei.golden` writes them once more."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from attest.formats.sei.artefact import Artefact
from attest.formats.sei.store import write_artefact, write_bundle
from attest.signing.keyfile import FileKey

FOLDER = Path(__file__).resolve().parents[2] / "testdata" / "sei"
#: Written down in testdata/sei/ORIGIN.md: no secret, and used for nothing else.
KEY_NAME = b"attest: the key of the golden .sei artefacts, which is no secret"
PUBLIC_KEY = "public-key.hex"

CONFORMANCE = Artefact(
    kind="conformance",
    system="loan",
    payload={
        "standard": "eu/pren-18228@2026",
        "result": "conformant",
        "controls": [
            {"id": "6.1", "title": "Risk management", "met": True, "score": 0.75},
            {
                "id": "6.2",
                "title": "Gestión de datos \u2013 “tipografía” \u2028 \U0001f600",
                "met": None,
            },
        ],
        "counts": {"met": 1, "unmet": 0, "largest": 9007199254740991},
        "numbers": [-0.0, 1e21, 5e-324, 1.7976931348623157e308, 100000000000000000000],
        "escapes": '"\\\b\f\n\r\t\x00\x1f\x7f/',
        "empty": {"list": [], "object": {}, "text": ""},
        "Zeta": 1,
        "alpha": 2,
    },
)
#: Its payload does not say of which standard it is.
UNNAMED = Artefact(kind="conformance", system="préstamos", payload={"passed": 12, "failed": 0})
UNNAMED_STANDARD = "iso/23894@2023"
RECONSTRUCT = Artefact(kind="reconstruct", system="loan", payload={"decisions": [{"id": "d-1"}]})
#: No envelope, and in nobody's layout.
BUNDLE = b'{"version":1,\n "runs" : [ {"id":"run-1","ok":true} ] }\n'


def golden_key() -> FileKey:
    scalar = int.from_bytes(hashlib.sha256(KEY_NAME).digest(), "big")
    return FileKey(ec.derive_private_key(scalar, ec.SECP256R1()))


def write(repository: Path) -> None:
    """Write every kind of artefact with its signature."""
    key = golden_key()
    write_artefact(repository, CONFORMANCE, key)
    write_artefact(repository, UNNAMED, key, standard=UNNAMED_STANDARD)
    write_artefact(repository, RECONSTRUCT, key)
    write_bundle(repository, BUNDLE, key)
    point = key.public.point
    assert point is not None
    (repository / PUBLIC_KEY).write_text(f"{point.hex()}\n", encoding="ascii")


if __name__ == "__main__":
    write(FOLDER)
