"""Whatever stands in the provenance of a signed merged pack: a verdict, in bounded time."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attest.errors import AttestError, UsageError
from attest.report import json as report_json
from attest.report import text as report_text
from attest.report.model import Report
from tests.engine.any_value import JSON_VALUES, UNBOUND, Place, places, put, says_the_same
from tests.engine.merged_evidence import ALL, MERGER, good, judge, merge_of, sign_whole, stranger
from tests.engine.virtual_evidence import stamp
from tests.engine.virtual_instance import Json
from tests.pack.merging import rewritten

PATIENT = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

#: What the merger says, and no signature of a source covers.
BY_THE_MERGER = {"merged_by", "merged_at", "stream", "pack_digest", "artifacts"}
SKIPPED = "provenance.source_packs[0].embedded_attestations[1]"


@cache
def merged_pack() -> tuple[bytes, Json]:
    """A merged pack that verifies once it is signed, and its provenance."""
    with tempfile.TemporaryDirectory() as name:
        path = merge_of(Path(name), {"api": [good, stranger], "web": [good]})
        found: list[Json] = []
        rewritten(path, lambda manifest, _: found.append(manifest["provenance"]))
        return path.read_bytes(), found[0]


PLACES = places(merged_pack()[1])
EMBEDDED = [place for place in PLACES if "embedded_attestations" in place[:-2]]


@contextmanager
def judged(provenance: object) -> Iterator[Report]:
    """The report of the merged pack with another provenance, signed by its merger."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "all.epack"
        path.write_bytes(merged_pack()[0])

        def change(manifest: dict[str, Any], _: dict[str, bytes]) -> None:
            manifest["provenance"] = provenance

        rewritten(path, change)
        try:
            sign_whole(path, MERGER)
        except UsageError as error:
            pytest.fail(f"no verdict: {error}")
        except AttestError:
            pass  # the manifest itself is refused, which verifying must then say too
        yield judge(path, ALL)


def test_without_a_change_it_verifies() -> None:
    with judged(merged_pack()[1]) as report:
        assert report.result == "pass"


@PATIENT
@given(place=st.sampled_from(EMBEDDED), value=JSON_VALUES)
def test_any_value_in_any_place_of_an_attestation_ends_in_a_verdict(
    place: Place, value: object
) -> None:
    provenance, before = put(merged_pack()[1], place, value)
    with judged(provenance) as report:
        assert report.result in ("pass", "fail")
        json.dumps(report_json.to_json(report))
        report_text.render(report, explain=True)
    if report.result == "pass":
        # Bound by nothing, or inside the attestation that counts for nothing anyway.
        unbound = place[-1] in UNBOUND or place[:4] == ("source_packs", 0, *place[2:3], 1)
        assert says_the_same(value, before) or unbound


@PATIENT
@given(place=st.sampled_from(PLACES), value=JSON_VALUES)
def test_any_value_in_any_place_of_provenance_ends_in_a_verdict(
    place: Place, value: object
) -> None:
    provenance, before = put(merged_pack()[1], place, value)
    with judged(provenance) as report:
        assert report.result in ("pass", "fail")
    if place[-1] == "manifest_digest" and not says_the_same(value, before):
        assert report.result == "fail"
    if report.result == "pass":
        assert report.pack is not None
        for source in report.pack.sources:
            assert (source.status == "unsigned") == (not source.attestations)


@PATIENT
@given(data=st.data())
def test_parts_of_sound_attestations_make_no_sound_one(data: st.DataObject) -> None:
    """Every part is signed by somebody, and all by the same; only together they say it."""
    provenance = merged_pack()[1]
    embedded = provenance["source_packs"][0]["embedded_attestations"][0]
    other = provenance["source_packs"][1]["embedded_attestations"][0]
    common = [place for place in places(embedded) if place in places(other)]
    place = data.draw(st.sampled_from(common))
    value: object = other
    for key in place:
        value = value[key]  # type: ignore[index]  # a document of dictionaries and lists
    changed, before = put(
        provenance, ("source_packs", 0, "embedded_attestations", 0, *place), value
    )
    with judged(changed) as report:
        same = says_the_same(value, before)
        unbound = {"keyid", "envelopeHash", "inclusionPromise"} & set(map(str, place))
        assert report.result == "fail" or same or unbound


@pytest.mark.parametrize("count", [1, 2])
def test_timestamps_of_embedded_attestations_are_judged_too(tmp_path: Path, count: int) -> None:
    from tests.engine.merged_evidence import signed, verdict

    stamps = [stamp(), stamp(over=b"something else")][:count]
    report = verdict(
        tmp_path, {"api": [lambda digest: signed(digest, timestamps=stamps)], "web": []}
    )
    error = report.error.code if report.error else None
    assert error == (None if count == 1 else "invalid_timestamp")
