"""What was verified once counts again for the same bytes under the same root, and for nothing else.

Each case verifies good evidence first, so that what the engine keeps of it is there to mislead.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest
from cryptography import x509

from attest.engine import timestamp
from attest.errors import AttestError, Untrusted, VerificationFailed
from attest.trust.root import TrustRoot
from tests.engine.virtual_evidence import V2_DSSE, Evidence, stamp, verify
from tests.engine.virtual_instance import (
    ELSEWHERE,
    MINUTE,
    NOW,
    ROOT,
    SECOND,
    Json,
    b64,
    make_ca,
    parse_root,
    root_json,
    trusting,
    unb64,
)

#: When a listing began and ended, so that the timestamp (a minute later) lies outside.
ENDED = {"start": "2020-01-01T00:00:00Z", "end": f"{NOW + SECOND:%Y-%m-%dT%H:%M:%SZ}"}


@pytest.fixture(scope="module")
def good() -> bytes:
    return V2_DSSE.build()


@pytest.fixture(autouse=True)
def verified(good: bytes) -> Iterator[None]:
    """It passes before, and still passes after whatever failed between."""
    first = verify(good)
    yield
    assert verify(good) == first


def verdict(data: bytes, root: TrustRoot = ROOT) -> tuple[type[AttestError], str]:
    """The verdict, which asking twice does not change."""
    found = set()
    for _ in range(2):
        with pytest.raises(AttestError) as caught:
            verify(data, root=root)
        found.add((type(caught.value), caught.value.code))
    (only,) = found
    return only


def ended(listing: str) -> TrustRoot:
    def edit(root: Json) -> None:
        root[listing][0]["validFor"] = ENDED

    return parse_root(root_json(edit))


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        (lambda: trusting(tsa=ELSEWHERE.tsa), (Untrusted, "untrusted_timestamp")),
        (lambda: ended("timestampAuthorities"), (VerificationFailed, "invalid_timestamp")),
        (lambda: trusting(ca=ELSEWHERE.ca), (Untrusted, "untrusted_certificate")),
        # The same name and key, by another root of that name.
        (
            lambda: trusting(ca=make_ca("here ca", root={"basic": (False, None)})),
            (VerificationFailed, "invalid_certificate_chain"),
        ),
        (
            lambda: ended("certificateAuthorities"),
            (VerificationFailed, "invalid_certificate_chain"),
        ),
    ],
)
def test_another_root_finds_for_itself(
    good: bytes, root: Callable[[], TrustRoot], expected: tuple[type[AttestError], str]
) -> None:
    assert verdict(good, root()) == expected


def test_a_log_that_had_ended_promised_nothing(good: bytes) -> None:
    def edit(root: Json) -> None:
        early = f"{NOW - MINUTE:%Y-%m-%dT%H:%M:%SZ}"
        root["ctlogs"][0]["publicKey"]["validFor"] = {**ENDED, "end": early}

    assert verdict(good, parse_root(root_json(edit))) == (VerificationFailed, "invalid_sct")


def test_a_timestamp_does_not_pass_to_another_signature(good: bytes) -> None:
    bundle, other = json.loads(good), json.loads(replace(V2_DSSE, log="v1").build())
    stamps = bundle["verificationMaterial"]["timestampVerificationData"]
    other["verificationMaterial"]["timestampVerificationData"] = stamps
    assert verdict(json.dumps(other).encode()) == (VerificationFailed, "invalid_timestamp")


def test_no_part_of_a_timestamp_is_taken_on_trust(good: bytes) -> None:
    bundle = json.loads(good)
    (place,) = bundle["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"]
    data = unb64(place["signedTimestamp"])
    for position in range(0, len(data), 37):
        changed = bytearray(data)
        changed[position] ^= 1
        place["signedTimestamp"] = b64(bytes(changed))
        with pytest.raises(AttestError) as caught:
            verify(json.dumps(bundle).encode())
        assert caught.value.code in (
            "invalid_timestamp",
            "malformed_timestamp",
            "untrusted_timestamp",
        )


@dataclass(frozen=True, kw_only=True)
class Certified(Evidence):
    """Evidence under a certificate that there is already."""

    by: x509.Certificate

    def certificate(self) -> x509.Certificate:
        return self.by


def test_the_certificate_is_judged_at_each_time_anew() -> None:
    certificate = V2_DSSE.certificate()
    verify(Certified(by=certificate, log="v2", timestamps=[stamp()]).build())
    late = Certified(by=certificate, log="v2", timestamps=[stamp(at=NOW + 11 * MINUTE)])
    expected = (VerificationFailed, "certificate_not_valid_at_time")
    assert verdict(late.build()) == expected


def test_an_error_tells_of_the_place_at_hand(good: bytes) -> None:
    bundle = json.loads(good)
    stamps = bundle["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"]
    wrong = b64(stamp(over=b"something else")(b""))
    stamps[1:] = [{"signedTimestamp": wrong}]
    for position in (1, 0):
        with pytest.raises(VerificationFailed) as caught:
            verify(json.dumps(bundle).encode())
        assert caught.value.where == f"rfc3161Timestamps[{position}]"
        stamps.reverse()


def test_what_is_padded_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timestamp, "USUAL_BYTES", 100)
    before = timestamp._verified.cache_info().currsize
    verify(replace(V2_DSSE, timestamps=[stamp(at=NOW + 2 * MINUTE)]).build())
    assert timestamp._verified.cache_info().currsize == before
