"""Merged packs in which keys signed sources or the whole: the same keys count everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from attest.keys import PublicKey
from attest.policy.model import Policy, Signer
from attest.verified import KeyIdentity
from tests.engine.merged_evidence import (
    MERGER,
    Make,
    good,
    key_signed,
    naming,
    outcome,
    signed,
    sources_of,
    verdict,
)
from tests.engine.virtual_evidence import ISSUER
from tests.engine.virtual_instance import MINUTE, NOW, p256

KEY, OTHER = p256("release"), p256("another release")


def by_key(
    key: ec.EllipticCurvePrivateKey = KEY, *, signing_key: ec.EllipticCurvePrivateKey | None = None
) -> Make:
    return lambda digest: signed(digest, key=key, by_key=True, signing_key=signing_key)


def keys(*given: ec.EllipticCurvePrivateKey, **window: object) -> Policy:
    """A policy met by the merger or any of these keys."""
    signers = [
        Signer(key=PublicKey(key.public_key()), **window)  # type: ignore[arg-type]  # any field
        for key in given
    ]
    return Policy.any_of(Signer(identity="merger@acme.example", issuer=ISSUER), *signers)


def test_a_given_key_signs_for_a_source(tmp_path: Path) -> None:
    report = verdict(tmp_path, {"api": [by_key()], "web": []}, policy=keys(KEY))
    assert outcome(report) == ("pass", None, ["pass", "unsigned"])
    (attestation,) = sources_of(report)[0].attestations
    assert attestation.kind == "key"
    assert attestation.verified is not None
    assert attestation.verified.signer == KeyIdentity(
        key_id=PublicKey(KEY.public_key()).key_id.hex()
    )


def test_a_given_key_signs_for_the_whole(tmp_path: Path) -> None:
    sources = {"api": [MERGER], "web": []}
    report = verdict(tmp_path, sources, whole=[by_key()], policy=keys(KEY))
    assert outcome(report) == ("pass", None, ["pass", "unsigned"])


@pytest.mark.parametrize(
    ("makes", "policy", "code"),
    [
        ([by_key(OTHER)], keys(KEY), "untrusted_key"),
        ([by_key()], naming("merger"), "untrusted_key"),
        ([by_key()], Policy.unsafe_any_identity(), "untrusted_key"),
        ([by_key(), by_key(OTHER)], keys(OTHER), None),
        ([key_signed, by_key()], keys(KEY), None),
        ([good, by_key()], keys(KEY), None),
        ([good, by_key(OTHER)], keys(KEY), "certificate_identity_mismatch"),
        # It is ours by its log entry, and its signature is not: broken, not a stranger's.
        ([by_key(signing_key=OTHER)], keys(KEY), "signature_invalid"),
        ([good, by_key(signing_key=OTHER)], keys(KEY), "signature_invalid"),
    ],
)
def test_which_keys_count_for_a_source(
    tmp_path: Path, makes: Sequence[Make], policy: Policy, code: str | None
) -> None:
    report = verdict(tmp_path, {"api": list(makes), "web": []}, policy=policy)
    assert outcome(report)[:2] == ("fail" if code else "pass", code)


@pytest.mark.parametrize(
    ("window", "code"),
    [
        ({"not_after": NOW + MINUTE}, None),
        ({"not_after": NOW}, "signed_too_late"),
        # When a source was made stands in its own manifest, which is not here to be read.
        ({"not_before": NOW - timedelta(days=300)}, "signed_too_early"),
    ],
)
def test_when_a_key_counts_for_a_source(
    tmp_path: Path, window: dict[str, object], code: str | None
) -> None:
    report = verdict(tmp_path, {"api": [by_key()], "web": []}, policy=keys(KEY, **window))
    assert outcome(report)[:2] == ("fail" if code else "pass", code)
    if code and report.error is not None:
        assert report.error.rule == "step 8"
        assert report.error.hint is None
        assert sources_of(report)[0].why[0].startswith("signed by key: ")
