"""Copy the public instances' trust material from the installed `sigstore` package into attest.

Run it after upgrading `sigstore`; `tests/trust/test_embedded.py` fails until it was run.
"""

import hashlib
import importlib.metadata
import json
import sys
from importlib import resources
from pathlib import Path
from urllib.parse import quote

TARGET = Path(__file__).resolve().parent.parent / "attest" / "trust" / "embedded"
INSTANCES = {
    "sigstore": "https://tuf-repo-cdn.sigstore.dev",
    "staging": "https://tuf-repo-cdn.sigstage.dev",
}
FILES = ("root.json", "trusted_root.json", "signing_config.v0.2.json")


def material() -> dict[str, bytes]:
    """Every embedded file by its path below the target folder."""
    files: dict[str, bytes] = {}
    for name, url in INSTANCES.items():
        folder = resources.files("sigstore._store") / quote(url, safe="")
        for file in FILES:
            files[f"{name}/{file}"] = (folder / file).read_bytes()
    origin = {
        "package": "sigstore",
        "version": importlib.metadata.version("sigstore"),
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())},
    }
    files["ORIGIN.json"] = (json.dumps(origin, indent=2) + "\n").encode()
    return files


if __name__ == "__main__":
    for name, data in material().items():
        path = TARGET / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        sys.stdout.write(f"{path.relative_to(TARGET.parent)}\n")
