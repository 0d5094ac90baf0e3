"""Write the JSON Schema of policy files into `policy/`; a test fails where it is not up to date."""

from __future__ import annotations

from pathlib import Path

from attest.policy.schema import SCHEMA_FILE, schema_text

ROOT = Path(__file__).resolve().parent.parent

if __name__ == "__main__":
    (ROOT / "policy" / SCHEMA_FILE).write_text(schema_text(), encoding="utf-8", newline="\n")
