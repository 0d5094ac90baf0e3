"""Step 3: every way in which a certificate or its CA can be wrong, and when."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from attest.claims import CertificateIdentity
from attest.errors import AttestError, Untrusted, VerificationFailed
from attest.sandbox import LeafProfile
from attest.sandbox import Signer as CaSigner
from attest.sandbox import Validity as Lifetime
from attest.sandbox.certificates import key_usage
from attest.trust.root import TrustRoot
from tests.engine.virtual_evidence import V1_DSSE, V2_DSSE, Evidence, entry_of, stamp, verify
from tests.engine.virtual_instance import (
    ELSEWHERE,
    HERE,
    MINUTE,
    NOW,
    ROOT,
    SECOND,
    YEARS,
    Json,
    b64,
    ca_certificate,
    make_ca,
    p256,
    parse_root,
    root_json,
    trusting,
)

CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
CODE = ExtendedKeyUsageOID.CODE_SIGNING
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody")])
TWO = (x509.RFC822Name("ana@acme.example"), x509.RFC822Name("eve@acme.example"))
CONSTRAINTS = x509.NameConstraints(
    permitted_subtrees=[x509.RFC822Name("acme.example")], excluded_subtrees=None
)


def code_of(data: bytes, root: TrustRoot = ROOT) -> tuple[type[AttestError], str]:
    with pytest.raises(AttestError) as caught:
        verify(data, root=root)
    return type(caught.value), caught.value.code


@pytest.mark.parametrize(
    "evidence",
    [
        V1_DSSE,
        V2_DSSE,
        replace(V1_DSSE, key=ec.generate_private_key(ec.SECP384R1())),
        replace(V1_DSSE, key=ec.generate_private_key(ec.SECP521R1())),
        replace(V1_DSSE, key=rsa.generate_private_key(65537, 2048)),
        replace(V1_DSSE, key=ed25519.Ed25519PrivateKey.generate()),
        replace(V1_DSSE, leaf=LeafProfile(extended_key_usage=(CLIENT, CODE))),
        replace(V1_DSSE, leaf=LeafProfile(extra=((UNKNOWN, False),))),
        replace(V1_DSSE, san=x509.UniformResourceIdentifier("https://ci.example/w@refs/heads/m")),
    ],
    ids=["v1", "v2", "p384", "p521", "rsa", "ed25519", "two-purposes", "unknown", "uri"],
)
def test_a_good_leaf_passes(evidence: Evidence) -> None:
    assert verify(evidence.build()).level2


def username(text: bytes) -> x509.OtherName:
    """A name as Fulcio gives it to users without an e-mail address."""
    kind = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.7")
    return x509.OtherName(kind, b"\x0c" + bytes([len(text)]) + text)


#: Not signatures, and not certificates either, for which it would be refused anyway.
AGREEMENT = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=True,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)
LEAVES = {
    "no purposes": (LeafProfile(extended_key_usage=None), "invalid_certificate"),
    "purpose is not code signing": (
        LeafProfile(extended_key_usage=(CLIENT,)),
        "invalid_certificate",
    ),
    "any purpose": (
        LeafProfile(extended_key_usage=(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)),
        "invalid_certificate",
    ),
    "no key usage": (LeafProfile(key_usage=None), "invalid_certificate"),
    "key usage without signatures": (
        LeafProfile(key_usage=AGREEMENT),
        "invalid_certificate",
    ),
    "key usage with certificates": (
        LeafProfile(key_usage=key_usage(digital_signature=True, certificates=True)),
        "invalid_certificate",
    ),
    "a CA": (
        LeafProfile(extra=((x509.BasicConstraints(ca=True, path_length=None), True),)),
        "invalid_certificate",
    ),
    "a CA, not critical": (
        LeafProfile(extra=((x509.BasicConstraints(ca=True, path_length=0), False),)),
        "invalid_certificate",
    ),
    "unknown critical extension": (LeafProfile(extra=((UNKNOWN, True),)), "invalid_certificate"),
    "two names": (LeafProfile(sans=TWO), "invalid_certificate"),
    "the same name twice": (LeafProfile(sans=TWO[:1] * 2), "invalid_certificate"),
    "no name": (LeafProfile(sans=()), "invalid_certificate_chain"),
    "a name of another kind": (
        LeafProfile(sans=(x509.DNSName("a.example"),)),
        "invalid_certificate",
    ),
    "an empty user name": (LeafProfile(sans=(username(b""),)), "invalid_certificate"),
    "a user name that is no text": (LeafProfile(sans=(username(b"\xff"),)), "invalid_certificate"),
    "an empty name": (
        LeafProfile(sans=(x509.UniformResourceIdentifier(""),)),
        "invalid_certificate",
    ),
    "no subject and a name that may be ignored": (
        LeafProfile(san_critical=False),
        "invalid_certificate_chain",
    ),
    "serial number zero": (None, "invalid_certificate"),
}


# The command ignores warnings, where this test run makes errors of them.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", LEAVES)
def test_a_leaf_that_fulcio_would_not_issue(name: str) -> None:
    profile, code = LEAVES[name]
    if profile is None:  # the builder refuses it: cut it into a finished certificate
        certificate = Evidence(leaf=LeafProfile(serial_number=0x7B)).certificate()
        der = certificate.public_bytes(Encoding.DER)
        forged = der.replace(b"\x02\x01\x7b", b"\x02\x01\x00", 1)
        assert forged != der
        data = replace(V1_DSSE, bundle=lambda it: set_leaf(it, forged)).build()
    else:
        data = replace(V1_DSSE, leaf=profile).build()
    assert code_of(data)[1] == code


def set_leaf(bundle: Json, der: bytes) -> None:
    bundle["verificationMaterial"]["certificate"]["rawBytes"] = b64(der)


CLAIMS: dict[str, tuple[str | None, dict[int, str]]] = {
    "no issuer": (None, {}),
    "an empty issuer": (None, {8: ""}),
    "two issuers": ("https://a.example", {1: "https://b.example"}),
    "an empty issuer beside an old one": (None, {1: "https://a.example", 8: ""}),
}


def identity_in(data: bytes) -> CertificateIdentity:
    """Whom the certificate of a bundle that verifies names."""
    identity = verify(data).identity
    assert identity is not None
    return identity


@pytest.mark.parametrize("name", CLAIMS)
def test_a_certificate_that_does_not_name_one_issuer(name: str) -> None:
    issuer, claims = CLAIMS[name]
    data = replace(V1_DSSE, issuer=issuer, claims=claims).build()
    assert code_of(data)[1] == "invalid_certificate"


def test_a_user_name_is_a_name() -> None:
    identity = identity_in(replace(V1_DSSE, san=username(b"ana!acme.example")).build())
    assert (identity.subject, identity.kind) == ("ana!acme.example", "username")


def test_a_claim_that_is_no_text() -> None:
    claim = x509.UnrecognizedExtension(
        x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.12"), b"\x0c\x02\xff\xfe"
    )
    data = replace(V1_DSSE, leaf=LeafProfile(extra=((claim, False),))).build()
    assert code_of(data)[1] == "invalid_certificate"


def test_the_old_issuer_serves_where_the_new_one_is_absent() -> None:
    data = replace(V1_DSSE, issuer=None, claims={1: "https://old.example"}).build()
    assert identity_in(data).issuer == "https://old.example"


def test_a_key_on_a_curve_that_nobody_knows() -> None:
    curve = bytes.fromhex("06082a8648ce3d030107")
    der = Evidence().certificate().public_bytes(Encoding.DER)
    forged = der.replace(curve, curve[:-1] + b"\x77", 1)
    data = replace(V1_DSSE, bundle=lambda it: set_leaf(it, forged)).build()
    assert code_of(data) == (VerificationFailed, "unsupported_key")


def test_a_key_too_short_to_mean_anything() -> None:
    data = replace(V1_DSSE, key=rsa.generate_private_key(65537, 1024)).build()
    assert code_of(data) == (VerificationFailed, "unsupported_key")


AUTHORITIES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "intermediate without keyCertSign": ({}, {"usage": key_usage(digital_signature=True)}),
    "root without keyCertSign": ({"usage": key_usage(digital_signature=True)}, {}),
    "intermediate without basicConstraints": ({}, {"basic": None}),
    "root without basicConstraints": ({"basic": None}, {}),
    "intermediate's basicConstraints not critical": ({}, {"basic_critical": False}),
    "root's basicConstraints not critical": ({"basic_critical": False}, {}),
    "intermediate is no CA": ({}, {"basic": (False, None)}),
    "root is no CA": ({"basic": (False, None)}, {}),
    "intermediate for other purposes": ({}, {"purposes": [CLIENT]}),
    "root for other purposes": ({"purposes": [CLIENT]}, {}),
    "unknown critical extension in the intermediate": ({}, {"extra": [(UNKNOWN, True)]}),
    "unknown critical extension in the root": ({"extra": [(UNKNOWN, True)]}, {}),
    "path length exceeded": ({"basic": (True, 0)}, {}),
    "intermediate's name constraints": ({}, {"extra": [(CONSTRAINTS, True)]}),
    "intermediate's name constraints, not critical": ({}, {"extra": [(CONSTRAINTS, False)]}),
    "root's name constraints, not critical": ({"extra": [(CONSTRAINTS, False)]}, {}),
    "intermediate not signed by the root": ({}, {"signing_key": p256("an impostor")}),
    "intermediate of another root": (
        {},
        {"issuer": CaSigner(key=p256("other root"), certificate=ELSEWHERE.ca.root)},
    ),
    "intermediate over": ({}, {"lifetime": Lifetime(start=YEARS.start, end=NOW)}),
    "root over": ({"lifetime": Lifetime(start=YEARS.start, end=NOW)}, {}),
    "intermediate not begun": ({}, {"lifetime": Lifetime(start=NOW + 9 * MINUTE, end=YEARS.end)}),
}


@pytest.mark.parametrize("name", AUTHORITIES)
def test_a_ca_that_must_not_issue(name: str) -> None:
    root, intermediate = AUTHORITIES[name]
    ca = make_ca(name, root=root, intermediate=intermediate)
    data = replace(V1_DSSE, parts=replace(HERE, ca=ca)).build()
    kind, code = code_of(data, trusting(ca=ca))
    assert (kind, code) == (VerificationFailed, "invalid_certificate_chain")


@pytest.mark.parametrize(
    ("root", "intermediate"),
    [
        ({}, {}),
        ({"basic": (True, 1)}, {"basic": (True, None)}),
        ({"purposes": [CODE]}, {"purposes": [CODE, CLIENT]}),
        ({}, {"purposes": None}),
        ({"extra": [(UNKNOWN, False)]}, {"extra": [(UNKNOWN, False)]}),
    ],
)
def test_a_good_ca_passes(root: dict[str, Any], intermediate: dict[str, Any]) -> None:
    ca = make_ca("good", root=root, intermediate=intermediate)
    data = replace(V1_DSSE, parts=replace(HERE, ca=ca)).build()
    assert verify(data, root=trusting(ca=ca)).level2


def test_a_leaf_signed_by_another_key_under_the_same_name_and_key_identifier() -> None:
    impostor = CaSigner(key=p256("impostor"), certificate=HERE.ca.intermediate.certificate)
    data = replace(V1_DSSE, leaf=LeafProfile(issuer=impostor)).build()
    assert code_of(data) == (VerificationFailed, "invalid_certificate_chain")


def test_a_leaf_signed_under_the_same_name_with_its_own_key_identifier_is_a_strangers() -> None:
    key = p256("namesake")
    certificate = ca_certificate(key, name="here ca intermediate")
    namesake = CaSigner(key=key, certificate=certificate)
    data = replace(V1_DSSE, leaf=LeafProfile(issuer=namesake)).build()
    assert code_of(data) == (Untrusted, "untrusted_certificate")


def test_a_leaf_that_a_leaf_issued() -> None:
    middle = CaSigner(
        key=p256("leaf"), certificate=Evidence(leaf=LeafProfile(subject=NAME)).certificate()
    )
    data = replace(V1_DSSE, leaf=LeafProfile(issuer=middle)).build()
    assert code_of(data) == (Untrusted, "untrusted_certificate")


@pytest.mark.parametrize("media_type", ["0.1", "0.2", "0.3"])
def test_a_ca_that_the_bundle_brings_is_not_trusted(media_type: str) -> None:
    def bring(bundle: Json) -> None:
        bundle["mediaType"] = f"application/vnd.dev.sigstore.bundle+json;version={media_type}"
        chain = bundle["verificationMaterial"]["x509CertificateChain"]["certificates"]
        chain += [{"rawBytes": b64(item.public_bytes(Encoding.DER))} for item in ELSEWHERE.ca.chain]

    stranger = replace(HERE, ca=ELSEWHERE.ca)
    data = replace(V1_DSSE, parts=stranger, chain=True, bundle=bring).build()
    assert code_of(data) == (Untrusted, "untrusted_certificate")
    superfluous = replace(V1_DSSE, chain=True, bundle=bring)
    assert identity_in(superfluous.build()).subject == "ana@acme.example"


def test_only_the_first_certificate_of_a_chain_signs() -> None:
    def prepend(bundle: Json) -> None:
        chain = bundle["verificationMaterial"]["x509CertificateChain"]["certificates"]
        der = HERE.ca.intermediate.certificate.public_bytes(Encoding.DER)
        chain.insert(0, {"rawBytes": b64(der)})

    data = replace(V1_DSSE, chain=True, bundle=prepend).build()
    assert code_of(data)[0] in (Untrusted, VerificationFailed)


START, END = NOW, NOW + 10 * MINUTE


@pytest.mark.parametrize("log", ["v1", "v2"])
@pytest.mark.parametrize(
    ("time", "code"),
    [
        (START, None),
        (END, None),
        (START - SECOND, "certificate_not_valid_at_time"),
        (END + SECOND, "certificate_not_valid_at_time"),
        (START - timedelta(days=30), "certificate_not_valid_at_time"),
    ],
)
def test_the_leafs_window_includes_its_ends(log: str, time: datetime, code: str | None) -> None:
    stamps = [stamp(at=time)] if log == "v2" else []
    data = Evidence(log=log, logged_at=time, timestamps=stamps).build()
    if code is None:
        assert verify(data).earliest_time == time
    else:
        assert code_of(data) == (VerificationFailed, code)


def test_every_verified_time_is_judged() -> None:
    data = replace(V1_DSSE, timestamps=[stamp(), stamp(at=END + SECOND)]).build()
    assert code_of(data) == (VerificationFailed, "certificate_not_valid_at_time")


def until(member: str, *, start: datetime | None = None, end: datetime | None = None) -> TrustRoot:
    def edit(root: Json) -> None:
        for item in root[member]:
            window = item["validFor"] if "validFor" in item else item["publicKey"]["validFor"]
            for key, time in (("start", start), ("end", end)):
                if time is not None:
                    window[key] = f"{time:%Y-%m-%dT%H:%M:%SZ}"

    return parse_root(root_json(edit))


LOGGED = NOW + MINUTE


@pytest.mark.parametrize(
    ("member", "judged", "code"),
    [
        ("certificateAuthorities", LOGGED, "invalid_certificate_chain"),
        ("tlogs", LOGGED, "log_not_valid_at_time"),
        ("ctlogs", NOW, "invalid_sct"),
    ],
)
def test_windows_of_the_trusted_root_include_their_ends(
    member: str, judged: datetime, code: str
) -> None:
    data = V1_DSSE.build()
    for root in (until(member, start=judged), until(member, end=judged)):
        assert verify(data, root=root).level2
    for root in (until(member, start=judged + SECOND), until(member, end=judged - SECOND)):
        assert code_of(data, root) == (VerificationFailed, code)


def test_a_log_with_a_time_is_judged_at_its_own() -> None:
    data = replace(V1_DSSE, timestamps=[stamp(at=NOW)]).build()
    assert verify(data, root=until("tlogs", start=LOGGED)).earliest_time == NOW
    over = until("tlogs", end=LOGGED - SECOND)
    assert code_of(data, over) == (VerificationFailed, "log_not_valid_at_time")


def test_a_log_without_a_time_is_judged_at_the_earliest_one() -> None:
    data = replace(V2_DSSE, timestamps=[stamp(at=LOGGED), stamp(at=END)]).build()
    assert verify(data, root=until("tlogs", start=LOGGED, end=LOGGED)).level2
    refused = until("tlogs", start=LOGGED + SECOND)
    assert code_of(data, refused) == (VerificationFailed, "log_not_valid_at_time")


def test_an_entry_of_another_certificate_of_the_same_key_does_not_count() -> None:
    other = Evidence(leaf=LeafProfile(serial_number=12345)).build()

    def swap(bundle: Json) -> None:
        entry_of(bundle).update(entry_of(json.loads(other)))

    assert code_of(replace(V1_DSSE, bundle=swap).build())[1] == "invalid_tlog_entry"
