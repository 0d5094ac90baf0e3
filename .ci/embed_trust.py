"""Copy the public instances' trust material from the installed `sigstore` package into attest.

Run it after upgrading `sigstore`; `tests/trust/test_embedded.py` fails until it was run. GitHub's
TUF root is not in that package: it lies in the repository already and is held to the digest that
is written here with its origin.
"""

import hashlib
import importlib.metadata
import json
import sys
from datetime import datetime, timedelta
from importlib import resources
from pathlib import Path
from urllib.parse import quote

TARGET = Path(__file__).resolve().parent.parent / "attest" / "trust" / "embedded"
INSTANCES = {
    "sigstore": "https://tuf-repo-cdn.sigstore.dev",
    "staging": "https://tuf-repo-cdn.sigstage.dev",
}
FILES = ("root.json", "trusted_root.json", "signing_config.v0.2.json")

#: As published in the source of GitHub's own client; signed by all eight of its keys.
GITHUB = {
    "repository": "cli/cli",
    "commit": "501add44c0701aa92db4f41141602b73c929d79a",
    "path": "pkg/cmd/attestation/verification/embed/tuf-repo.github.com/root.json",
    "sha256": "338e62a8e3ee214a1c85bfa8e0743387a23529d8b9342828eea5530719e46d7f",
}


def material() -> dict[str, bytes]:
    """Every embedded file by its path below the target folder."""
    files: dict[str, bytes] = {}
    for name, url in INSTANCES.items():
        folder = resources.files("sigstore._store") / quote(url, safe="")
        for file in FILES:
            files[f"{name}/{file}"] = (folder / file).read_bytes()
    files["github/root.json"] = github_root()
    origin = {
        "package": "sigstore",
        "version": importlib.metadata.version("sigstore"),
        "github": GITHUB,
        # The day on which each TUF root was signed, as it says itself: a bound of its age.
        "signed": {
            name.split("/")[0]: signed(data)
            for name, data in files.items()
            if name.endswith("/root.json")
        },
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())},
    }
    files["ORIGIN.json"] = (json.dumps(origin, indent=2) + "\n").encode()
    return files


def github_root() -> bytes:
    """GitHub's TUF root, if it still is the published one."""
    data = (TARGET / "github" / "root.json").read_bytes().replace(b"\r\n", b"\n")
    if hashlib.sha256(data).hexdigest() != GITHUB["sha256"]:
        raise SystemExit("github/root.json is not the published file")
    return data


def signed(data: bytes) -> str:
    """When a TUF root was signed: its expiry less the period for which its makers sign."""
    root = json.loads(data)["signed"]
    expires = datetime.strptime(root["expires"], "%Y-%m-%dT%H:%M:%S%z")
    time = expires - timedelta(days=root["x-tuf-on-ci-expiry-period"])
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


if __name__ == "__main__":
    for name, data in material().items():
        path = TARGET / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        sys.stdout.write(f"{path.relative_to(TARGET.parent)}\n")
