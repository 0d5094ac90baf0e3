"""Write the JSON Schemas of policies into `policy/`; a test fails where one is not up to date."""

from __future__ import annotations

from pathlib import Path

from attest.policy.schema import CASES_SCHEMA_FILE, SCHEMA_FILE, cases_schema, schema, written

ROOT = Path(__file__).resolve().parent.parent

if __name__ == "__main__":
    for name, made in ((SCHEMA_FILE, schema()), (CASES_SCHEMA_FILE, cases_schema())):
        (ROOT / "policy" / name).write_text(written(made), encoding="utf-8", newline="\n")
