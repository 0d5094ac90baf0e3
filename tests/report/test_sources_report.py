"""What a report says of the sources of a merged pack, as JSON and as text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from attest.api.verify import examine
from attest.report import json as report_json
from attest.report import text as report_text
from tests.engine.merged_evidence import (
    ALL,
    LATER,
    MERGER,
    good,
    impostor,
    judge,
    merge_of,
    of,
    outcome,
    sign_whole,
    stranger,
    verdict,
)
from tests.engine.virtual_instance import ROOT
from tests.pack.merging import made, rewritten


def test_integrity_alone_says_nothing_of_sources(tmp_path: Path) -> None:
    path = sign_whole(merge_of(tmp_path, {"api": [impostor], "web": []}), MERGER)
    report = examine(path, policy=None)
    assert outcome(report) == ("pass", None, [])


def test_a_pack_that_is_not_merged_has_no_sources(tmp_path: Path) -> None:
    path = sign_whole(made(tmp_path / "a.epack", "acme/a", {"a": b"1"}), MERGER)
    document = report_json.to_json(judge(path, ALL))
    assert document["pack"] == {**_members(document["pack"]), "sources": []}


def _members(value: object) -> dict[str, object]:
    assert isinstance(value, dict)
    return value


def test_the_json_lists_each_source_with_its_attestations(tmp_path: Path) -> None:
    report = verdict(tmp_path, {"api": [good, stranger], "new": [of("eve")], "web": []})
    document = json.loads(report_json.render(report))
    api, new, web = document["pack"]["sources"]
    assert [item["status"] for item in (api, new, web)] == ["pass", "fail", "unsigned"]
    assert api["matched"] == ["provenance.source_packs[0].embedded_attestations[0]"]
    first, second = api["attestations"]
    assert (first["identity"], first["status"]) == ("ana@acme.example", "pass")
    assert (second["identity"], second["status"]) == (None, "skip")
    assert new["attestations"][0]["identity"] == "eve@acme.example"
    assert (new["matched"], web["matched"], web["attestations"]) == ([], [], [])
    assert new["why"] == [
        "signed by: eve@acme.example",
        "issuer: https://accounts.google.com",
        "differs in name: expected merger, found eve",
    ]
    assert (api["why"], web["why"]) == ([], [])
    (checked,) = [item for item in document["checks"] if item["check"] == "9 sources"]
    assert (checked["status"], checked["code"]) == ("fail", "certificate_identity_mismatch")
    assert [item["file"] for item in document["attestations"]] == [
        "attestations/00000000.sigstore.json"
    ]


def test_the_text_lists_each_source_with_its_signers(tmp_path: Path) -> None:
    report = verdict(tmp_path, {"api": [good], "new": [of("eve")], "web": []})
    lines = report_text.render(report).splitlines()
    at = lines.index("  source acme/api: pass, 1 artifacts")
    assert "      signed by: ana@acme.example" in lines[at:]
    at = lines.index("  source acme/new: fail, 1 artifacts")
    assert lines[lines.index("    nobody signed it who counts for the policy:") + 1 :][:2] == [
        "      signed by: eve@acme.example",
        "      issuer: https://accounts.google.com",
    ]
    at = lines.index("  source acme/web: unsigned, 1 artifacts")
    assert lines[at + 2] == "    for it only the signers of the merged pack speak"


def test_a_stream_cannot_command_a_terminal(tmp_path: Path) -> None:
    path = merge_of(tmp_path, {"api": [good], "web": []})

    def rename(manifest: dict[str, Any], _: dict[str, bytes]) -> None:
        manifest["provenance"]["source_packs"][0]["stream"] = "a\x1b[2Jb\u202ec\nd"

    report = judge(sign_whole(rewritten(path, rename), MERGER), ALL)
    assert outcome(report)[0] == "pass"
    lines = report_text.render(report).splitlines()
    assert sum(line.startswith("  source ") for line in lines) == 2
    assert all(line.isprintable() for line in lines)


def test_the_same_pack_gives_the_same_report_twice(tmp_path: Path) -> None:
    path = sign_whole(merge_of(tmp_path, {"api": [good, stranger], "web": [of("bo")]}), MERGER)
    first, second = (
        report_json.render(examine(path, policy=ALL, trust=ROOT, now=LATER)) for _ in range(2)
    )
    assert first == second
