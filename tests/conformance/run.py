"""The runner of the published test vectors: `python -m tests.conformance.run DIR`.

Prints one JSON object for each case, as `runner-spec.md` beside the vectors describes them, and a
summary to stderr. Exits with 0 if every case passed or is a listed contradiction, else with 1.
"""

# ruff: noqa: T201 - it prints by contract
from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tests.conformance.archives import ARCHIVES, fixture, paths
from tests.conformance.bundles import BUNDLES
from tests.conformance.case import Case, Members, Outcome, judge
from tests.conformance.manifests import MANIFESTS, canonical, pack_digests

#: Cases that the document, or another vector, contradicts; `docs/conformance.md` says more.
CONTRADICTIONS = {
    "manifest/provenance-validation.json: Complete merged provenance": "missing_manifest_digest",
    "manifest/provenance-validation.json: Merged provenance with embedded Sigstore attestation": (
        "missing_manifest_digest"
    ),
    "manifest/required-fields.json: verifiers_accept_any_sources": "unknown_field",
    "jcs/number-normalization.json: Fractional mantissa"
    " (1.2 * 1000 = 1200 but mantissa is fractional)": None,
    "zip-safety/special-files.json: hardlink": None,
    "attestation/valid-attestation.json: valid-attestation": "malformed_bundle",
}

_FOLDERS: dict[str, Callable[[Members], Iterator[Case]]] = {
    "path-validation": paths,
    "jcs": canonical,
    "pack-digest": pack_digests,
}


def outcomes(root: Path) -> Iterator[Outcome]:
    """Judge every case below a folder of vectors; a file that nobody can read is an error."""
    readers = {**MANIFESTS, **ARCHIVES, **BUNDLES}
    for path in sorted(root.rglob("*.json")):
        vector = path.relative_to(root).as_posix()
        document = json.loads(path.read_text(encoding="utf-8"))
        reader = readers.get(vector) or _FOLDERS.get(vector.split("/")[0])
        if reader is None:
            if "fixture" not in document:
                raise ValueError(f"nobody knows how to run {vector}")
            reader = partial(fixture, root=root)
        cases = list(reader(document))
        if not cases:
            raise ValueError(f"no case in {vector}")
        yield from (judge(vector, case) for case in cases)


def to_json(outcome: Outcome) -> dict[str, object]:
    """The object that the published contract asks for, with the case's name beside it."""
    error = outcome.error
    found = [] if error is None else [{"code": error.code, "message": error.message}]
    if error is not None and error.where:
        found[0]["location"] = error.where
    return {
        "vector": outcome.vector,
        "case": outcome.case.name,
        "valid": outcome.case.valid,
        "result": {"ok": error is None, "errors": found, "computed": dict(outcome.computed)},
    }


def main(arguments: list[str]) -> int:
    """Run the vectors of the named folder."""
    if len(arguments) != 1:
        print("usage: python -m tests.conformance.run DIR", file=sys.stderr)
        return 1
    root = Path(arguments[0])
    failed = contradicted = passed = 0
    for outcome in outcomes(root):
        print(json.dumps(to_json(outcome)))
        if outcome.passed:
            passed += 1
        elif outcome.name in CONTRADICTIONS:
            contradicted += 1
        else:
            failed += 1
            print(f"failed: {outcome.name}", file=sys.stderr)
    version = (root / "VERSION").read_text(encoding="utf-8").strip()
    print(
        f"vectors {version}: {passed} passed, {contradicted} contradict the document,"
        f" {failed} failed",
        file=sys.stderr,
    )
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
