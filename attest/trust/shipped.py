"""What ships of the public instances: TUF anchors, trusted roots, and since when they hold."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

_FOLDER = Path(__file__).parent / "embedded"


def embedded_anchor(name: str) -> bytes:
    """The TUF root of a public instance, from which its cached metadata is checked."""
    return (_FOLDER / name / "root.json").read_bytes()


def embedded_root(name: str) -> bytes | None:
    """The trusted root of a public instance; None where none ships."""
    path = _FOLDER / name / "trusted_root.json"
    return path.read_bytes() if path.is_file() else None


def embedded_signing_config(name: str) -> bytes | None:
    """The signing config of a public instance; None where none ships."""
    path = _FOLDER / name / "signing_config.v0.2.json"
    return path.read_bytes() if path.is_file() else None


def embedded_since(name: str) -> datetime:
    """When (UTC) the embedded TUF root was signed: the trusted root is at least as new."""
    origin = json.loads((_FOLDER / "ORIGIN.json").read_bytes())
    return datetime.strptime(origin["signed"][name], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
