"""Signatures by keys that need not be logged or timed: excused from proof, never from its truth."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest

from attest.bundle import parse_bundle
from attest.digest import Digests
from attest.engine.content import ArtifactContent
from attest.engine.trace import Trace
from attest.engine.verify import verify_bundle
from attest.errors import VerificationFailed
from attest.keys import PublicKey
from attest.verified import VerifiedAttestation
from tests.engine.virtual_evidence import V1_MESSAGE, Evidence, entry_of, stamp
from tests.engine.virtual_instance import ROOT, Json, p256

SIGNED = replace(V1_MESSAGE, by_key=True)
BARE = replace(SIGNED, log=None)
CONTENT = ArtifactContent(digest_of=Digests(sha256=sha256(SIGNED.artifact).digest()))


def verified(evidence: Evidence, *, log: bool = False, time: bool = False) -> VerifiedAttestation:
    return verify_bundle(
        parse_bundle(evidence.build()),
        CONTENT,
        ROOT,
        Trace(),
        keys=[PublicKey(p256("leaf").public_key())],
        key_log=log,
        key_time=time,
    )


def unsigned_set(bundle: Json) -> None:
    entry_of(bundle)["inclusionPromise"]["signedEntryTimestamp"] = "AAAA"


def test_excused_from_both_it_proves_neither() -> None:
    attestation = verified(BARE)
    assert attestation.times == ()
    assert attestation.log_entries == ()
    assert not attestation.level2


def test_excused_from_the_log_it_may_still_have_a_time() -> None:
    attestation = verified(replace(BARE, timestamps=[stamp()]), time=True)
    assert [item.source for item in attestation.times] == ["tsa"]


@pytest.mark.parametrize(
    ("evidence", "log", "time", "code"),
    [
        pytest.param(BARE, True, True, "not_enough_log_entries", id="excused from nothing"),
        pytest.param(BARE, True, False, "not_enough_log_entries", id="excused from a time alone"),
        pytest.param(BARE, False, True, "not_enough_times", id="excused from the log alone"),
        pytest.param(
            replace(BARE, timestamps=[stamp(over=b"something else")]),
            False,
            False,
            "invalid_timestamp",
            id="a timestamp over something else",
        ),
        pytest.param(
            replace(SIGNED, bundle=unsigned_set),
            False,
            False,
            "invalid_set",
            id="an entry whose promise nobody signed",
        ),
        pytest.param(
            replace(SIGNED, log="v2"), True, False, "not_enough_times", id="a log without a time"
        ),
        pytest.param(
            replace(BARE, signing_key=p256("another signer")),
            False,
            False,
            "signature_invalid",
            id="signed by another key",
        ),
    ],
)
def test_what_must_not_verify(evidence: Evidence, log: bool, time: bool, code: str) -> None:  # noqa: FBT001
    with pytest.raises(VerificationFailed) as caught:
        verified(evidence, log=log, time=time)
    assert caught.value.code == code


@pytest.mark.parametrize("log", [True, False])
def test_a_certificate_is_excused_from_nothing(log: bool) -> None:  # noqa: FBT001
    evidence = replace(V1_MESSAGE, log="v1" if log else None, timestamps=[stamp()])
    if log:
        assert verified(evidence).level2
        return
    with pytest.raises(VerificationFailed) as caught:
        verified(evidence)
    assert caught.value.code == "not_enough_log_entries"
