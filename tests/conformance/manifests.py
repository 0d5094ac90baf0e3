"""The published cases about manifests, JSON, canonical forms, digests and limits."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from attest.limits import Limits
from attest.pack.manifest import manifest_digest, pack_digest, parse_manifest
from attest.strictjson import canonicalize, loads
from tests.conformance.case import Case, Members, listed, members

EMPTY: Members = {
    "spec_version": "1.0",
    "stream": "test",
    "generated_at": "2026-01-20T12:00:00Z",
    "pack_digest": "sha256:" + "1" * 64,
    "sources": [],
    "artifacts": [],
}

#: Published reasons that are no codes: what answers them here. Any other reason is prose.
REASONS: Mapping[str, str] = {
    "attestation_not_direct_child": "attestation_wrong_location",
    "invalid_attestation_filename": "invalid_attestation_extension",
    "compression_bomb": "zip_bomb",
    "symlink": "zip_symlink",
    "device_file": "zip_special_file",
    "non_regular_file": "zip_special_file",
    "dot_dot_segment": "path_traversal",
    "leading_slash": "invalid_path",
    "trailing_slash": "invalid_path",
    "empty_segment": "invalid_path",
    "dot_segment": "invalid_path",
    "backslash": "invalid_path",
    "control_char": "invalid_path",
    "empty_path": "invalid_path",
    "segment_too_long": "invalid_path",
    "fractional": "invalid_number",
    "negative": "invalid_number",
    "exceeds_max_safe_int": "invalid_number",
    "string_not_number": "invalid_number",
    "negative_exponent_fractional": "invalid_number",
    "negative_value": "invalid_number",
    "fractional_value": "invalid_number",
    "fractional_mantissa": "invalid_number",
    "fractional_result": "invalid_number",
    "exceeds_max_safe_integer": "invalid_number",
    "non_finite": "non_finite_number",
    "non_finite_nan": "non_finite_number",
    "non_finite_infinity": "non_finite_number",
    "non_finite_negative_infinity": "non_finite_number",
    "missing_media_type": "invalid_bundle_media_type",
    "invalid_media_type": "invalid_bundle_media_type",
    "embedded_attestation_missing_media_type": "invalid_bundle_media_type",
    "embedded_attestation_invalid_media_type": "invalid_bundle_media_type",
    "embedded_attestation_missing_verification_material": "missing_verification_material",
    "embedded_attestation_missing_dsse_envelope": "missing_dsse_envelope",
    "merged_at_required_for_merged_type": "missing_merged_at",
    "source_packs_required_for_merged_type": "missing_source_packs",
    "source_packs_must_be_non_empty": "missing_source_packs",
    "stream_required": "missing_stream",
    "pack_digest_required": "missing_pack_digest",
    "artifacts_required": "missing_artifacts",
}
#: Reasons that are codes, published as such or because they are called the same here.
SAME = frozenset(
    {
        "apple_double", "apple_metadata", "below_minimum", "duplicate_path",
        "extra_artifact_not_in_manifest", "invalid_number", "invalid_predicate_type",
        "invalid_type", "limits_disabled", "missing_dsse_envelope",
        "missing_verification_material", "path_traversal", "reserved_name",
    }
)  # fmt: skip


def codes(case: Members, default: str | None = None) -> frozenset[str]:
    """The codes that answer an invalid case: the published one, or what its reason is here."""
    reason = str(case.get("reason", ""))
    code = case.get("expected_error") or (reason if reason in SAME else REASONS.get(reason))
    found = code or default
    return frozenset() if found is None else frozenset({str(found)})


def is_valid(case: Members) -> bool:
    """Whether a case must be accepted; vectors say so in three ways."""
    if "valid" in case:
        return bool(case["valid"])
    return str(case.get("expected", "accept")).startswith("accept")


def dumps(value: object) -> bytes:
    return json.dumps(value).encode()


def parsed(data: bytes) -> dict[str, str]:
    parse_manifest(data)
    return {}


def in_manifest(*path: str | int, value: object) -> bytes:
    """A valid manifest with one value put at a path."""
    changed: object = copy.deepcopy(EMPTY)
    at = changed
    for key in path[:-1]:
        assert isinstance(at, dict)
        at = at[key]
    assert isinstance(at, dict)
    at[path[-1]] = value
    return dumps(changed)


def with_number(text: str) -> bytes:
    """A valid manifest with an integer field written as given."""
    return in_manifest("sources", value=[{"name": "x", "artifacts": 77}]).replace(
        b"77", text.encode()
    )


def digest_of_manifest(data: bytes) -> dict[str, str]:
    canonical = canonicalize(loads(data, where="manifest.json")).decode()
    return {"jcs_canonical": canonical, "manifest_digest": manifest_digest(data).hex()}


def lists(document: Members, noun: str, build: Callable[[Members], bytes]) -> Iterator[Case]:
    """The two lists `valid_…` and `invalid_…`, each value put into a manifest."""
    defaults = {
        "timestamps": "invalid_timestamp",
        "digests": "invalid_digest_format",
        "policies": "invalid_access_policy",
    }
    for valid in (True, False):
        for case in listed(document[f"{'' if valid else 'in'}valid_{noun}"]):
            yield Case(
                name=str(case["description"]),
                valid=valid,
                run=partial(parsed, build(case)),
                codes=frozenset() if valid else codes(case, defaults.get(noun)),
            )


def integers(document: Members) -> Iterator[Case]:
    """Integer fields in every notation, with the value that is read."""

    def run(data: bytes) -> dict[str, str]:
        return {"value": str(parse_manifest(data).sources[0].artifacts)}

    for valid in (True, False):
        for case in listed(document["valid_integers" if valid else "invalid_integers"]):
            yield Case(
                name=str(case["json"]),
                valid=valid,
                run=partial(run, with_number(str(case["json"]))),
                codes=codes(case),
                expected={"value": str(case["value"])} if valid else {},
            )


def policy(case: Members) -> bytes:
    reference = {"type": "reference", "name": "x", "uri": "https://x.example/"}
    return in_manifest("artifacts", value=[reference | {"access": {"policy": case["policy"]}}])


def whole(document: Members) -> Iterator[Case]:
    """Whole manifests, as objects or as text."""
    for case in listed(document["tests"]):
        source = case["input"]
        data = source.encode() if isinstance(source, str) else dumps(source)
        yield Case(
            name=str(case["name"]),
            valid=is_valid(case),
            run=partial(parsed, data),
            codes=codes(case),
        )
    if "source_metadata_handling" in document:
        yield from _sources()


def _sources() -> Iterator[Case]:
    """What the vectors say of `sources` in words."""
    unknown = in_manifest("sources", value=[{"name": "x", "url": "https://x.example"}])
    yield Case(name="verifiers_accept_any_sources", valid=True, run=partial(parsed, unknown))
    one, other = (
        parse_manifest(in_manifest("sources", value=value)) for value in ([], [{"name": "x"}])
    )
    yield Case(
        name="sources_do_not_affect_digest",
        valid=True,
        run=lambda: {"pack_digest": pack_digest(one.artifacts)},
        expected={"pack_digest": pack_digest(other.artifacts)},
    )


def artifacts(document: Members) -> Iterator[Case]:
    for group in ("embedded_artifact_tests", "referenced_artifact_tests"):
        for case in listed(document[group]):
            yield Case(
                name=str(case["name"]),
                valid=is_valid(case),
                run=partial(parsed, in_manifest("artifacts", value=[case["input"]])),
                codes=codes(case),
            )


def single(document: Members) -> Iterator[Case]:
    """One whole manifest; where digests are published, they are computed."""
    data = dumps(members(document["input"])["manifest"])
    expected: dict[str, str] = {}
    run: Callable[[bytes], dict[str, str]] = parsed
    if "expected" in document:
        published, run = members(document["expected"]), digest_of_manifest
        expected = {
            "jcs_canonical": str(published["jcs_canonical"]),
            "manifest_digest": str(published["sha256"]),
        }
    yield Case(
        name=str(document["name"]),
        valid=is_valid(document),
        run=partial(run, data),
        codes=codes(document),
        expected=expected,
    )


def known_answers(document: Members) -> Iterator[Case]:
    for case in listed(document["tests"]):
        yield Case(
            name=str(case["name"]),
            valid=True,
            run=partial(digest_of_manifest, dumps(case["manifest"])),
            expected={
                "jcs_canonical": str(case["expected_canonical"]),
                "manifest_digest": str(case["expected_digest"]).removeprefix("sha256:"),
            },
        )


def invariance(document: Members) -> Iterator[Case]:
    for case in listed(document["tests"]):
        variants = [str(item["json"]).encode() for item in listed(case["variants"])]
        first = digest_of_manifest(variants[0])
        for index, data in enumerate(variants):
            expected = first
            if "expected_canonical" in case:
                expected = first | {"jcs_canonical": str(case["expected_canonical"])}
            yield Case(
                name=f"{case['name']} {index}",
                valid=True,
                run=partial(digest_of_manifest, data),
                expected=expected,
            )


def malformed(document: Members) -> Iterator[Case]:
    for case in listed(document["tests"]):
        raw = bytes.fromhex(str(case["input_hex"])) if "input_hex" in case else None
        data = str(case["input"]).encode() if raw is None else raw

        def run(data: bytes = data) -> dict[str, str]:
            return {"manifest_digest": manifest_digest(data).hex()}

        yield Case(name=str(case["name"]), valid=is_valid(case), run=run, codes=codes(case))


def canonical(document: Members) -> Iterator[Case]:
    """JCS: documents as values or as text, and numbers, which are integer fields of a manifest."""

    def run(data: bytes) -> dict[str, str]:
        return {"jcs_canonical": canonicalize(loads(data, where="document")).decode()}

    for group in ("tests", "valid_numbers"):
        for case in listed(document[group]) if group in document else ():
            source = case.get("input_json", case.get("input"))
            is_text = "input_json" in case or group == "valid_numbers"
            yield Case(
                name=str(case.get("name", case["description"])),
                valid=is_valid(case),
                run=partial(run, str(source).encode() if is_text else dumps(source)),
                codes=codes(case),
                expected={"jcs_canonical": str(case.get("expected_canonical", ""))},
            )
    for case in listed(document["invalid_numbers"]) if "invalid_numbers" in document else ():
        data = with_number(str(case["input"]))
        yield Case(
            name=str(case["description"]), valid=False, run=partial(parsed, data), codes=codes(case)
        )


def pack_digests(document: Members) -> Iterator[Case]:
    """The digest over the published lines; where only an order is published, over its lines."""
    source, expected = members(document["input"])["artifacts"], members(document["expected"])
    assert isinstance(source, list)
    read = parse_manifest(in_manifest("artifacts", value=source))
    lines = {
        str(item["path"]): f"{item['path']}\t{item['digest']}\n"
        for item in source
        if item["type"] == "embedded"
    }
    text = expected.get("canonical_input")
    if text is None:
        text = "".join(lines[str(path)] for path in listed(expected["sorted_paths"]))
    digest = "sha256:" + hashlib.sha256(str(text).encode()).hexdigest()
    yield Case(
        name=str(document["name"]),
        valid=is_valid(document),
        run=lambda: {"pack_digest": pack_digest(read.artifacts)},
        expected={"pack_digest": str(expected.get("pack_digest", digest))},
    )
    if "pack_digest" in expected:  # and so that both published values are compared
        yield Case(
            name=f"{document['name']} canonical input",
            valid=True,
            run=lambda: {"pack_digest": pack_digest(read.artifacts)},
            expected={"pack_digest": digest},
        )


def limits(document: Members) -> Iterator[Case]:
    names = {
        "max_artifact_size": "max_artifact_bytes",
        "max_pack_size": "max_pack_bytes",
        "max_artifact_count": "max_artifacts",
    }

    def run(values: dict[str, int]) -> dict[str, str]:
        Limits(**values)
        return {}

    for case in listed(document["tests"]):
        config = members(case["config"])
        values = {names[key]: value for key, value in config.items() if isinstance(value, int)}
        yield Case(
            name=str(case["description"]),
            valid=is_valid(case),
            run=partial(run, values),
            codes=codes(case),
        )


MANIFESTS: Mapping[str, Callable[[Members], Iterator[Case]]] = {
    "manifest/required-fields.json": whole,
    "manifest/duplicate-artifact-paths.json": whole,
    "manifest/artifact-fields.json": artifacts,
    "manifest/integer-validation.json": integers,
    "manifest/digest-format.json": partial(
        lists, noun="digests", build=lambda case: in_manifest("pack_digest", value=case["value"])
    ),
    "manifest/timestamp-formats.json": partial(
        lists,
        noun="timestamps",
        build=lambda case: in_manifest("generated_at", value=case["value"]),
    ),
    "manifest/access-policy.json": partial(lists, noun="policies", build=policy),
    "manifest/provenance-validation.json": partial(
        lists,
        noun="provenance",
        build=lambda case: in_manifest("provenance", value=case["provenance"]),
    ),
    "manifest-digest/basic-manifest.json": single,
    "manifest-digest/with-artifacts.json": single,
    "manifest-digest/invalid-exponent.json": single,
    "manifest-digest/invalid-numbers.json": single,
    "manifest-digest/valid-integer-exponent.json": single,
    "manifest-digest/known-answer.json": known_answers,
    "manifest-digest/invariance.json": invariance,
    "manifest-digest/malformed-json.json": malformed,
    "limits/minimum-limits.json": limits,
}
