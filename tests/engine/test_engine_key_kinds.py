"""Every kind of key that Sigstore's algorithm registry has, and Ed25519, which has two forms."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from attest.errors import VerificationFailed
from attest.verified import KeyIdentity
from tests.engine.test_engine_keys import (
    KEY,
    KINDS,
    SIGNATURE,
    STRANGER,
    every_kind,
    public,
    verdict,
)
from tests.engine.virtual_evidence import (
    INTOTO,
    V1_DSSE,
    V1_MESSAGE,
    V2_DSSE,
    V2_MESSAGE,
    Evidence,
    SigningKey,
    verify,
)

UNSUPPORTED_KEY = (VerificationFailed, "unsupported_key")


RSA = {
    bits: rsa.generate_private_key(public_exponent=65537, key_size=bits) for bits in (2048, 3072)
}
OTHER_KEYS: dict[str, SigningKey] = {
    "P-384": ec.generate_private_key(ec.SECP384R1()),
    "P-521": ec.generate_private_key(ec.SECP521R1()),
    "RSA 2048": RSA[2048],
    "RSA 3072": RSA[3072],
}


@every_kind
@pytest.mark.parametrize("name", OTHER_KEYS)
def test_every_kind_of_key_of_the_registry(kind: str, name: str) -> None:
    key = OTHER_KEYS[name]
    data = replace(KINDS[kind], key=key).build()
    assert isinstance(verify(data, keys=public(KEY, key)).signer, KeyIdentity)
    assert verdict(data, [KEY]) == STRANGER


# Ed25519: the pure form is checked, the prehashed form is refused by name


ED25519 = ed25519.Ed25519PrivateKey.generate()


@pytest.mark.parametrize("evidence", [V1_DSSE, INTOTO], ids=["dsse", "intoto"])
def test_an_envelope_signed_by_ed25519_verifies(evidence: Evidence) -> None:
    data = replace(evidence, by_key=True, key=ED25519).build()
    assert isinstance(verify(data, keys=public(ED25519)).signer, KeyIdentity)
    forged = replace(evidence, by_key=True, key=ED25519, signing_key=KEY)
    assert verdict(forged.build(), [ED25519]) == SIGNATURE


@pytest.mark.parametrize("hint", [None, "", "made up"])
@pytest.mark.parametrize("evidence", [V1_MESSAGE, V2_MESSAGE, V2_DSSE])
def test_what_needs_ed25519ph_is_refused_and_not_skipped(
    evidence: Evidence, hint: str | None
) -> None:
    data = replace(evidence, by_key=True, key=ED25519, hint=hint).build()
    assert verdict(data, [KEY, ED25519]) == UNSUPPORTED_KEY
    assert verdict(data, [KEY]) == STRANGER


def test_a_certificate_of_an_ed25519_key_needs_it_too() -> None:
    assert verdict(replace(V2_DSSE, key=ED25519).build()) == UNSUPPORTED_KEY
