"""Step 2: which times count, which fail, and which are nobody's."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TypedDict, Unpack

import pytest
from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from attest.engine.trace import Trace
from attest.errors import AttestError, MalformedEvidence, Untrusted, VerificationFailed
from attest.sandbox import Signer as CaSigner
from attest.sandbox import TimestampAuthority
from attest.sandbox import Validity as Lifetime
from attest.sandbox import tsa_messages as m
from attest.sandbox.certificates import make_timestamp_leaf, sandbox_name
from attest.trust.instance import InstanceProfile
from attest.trust.root import TrustRoot
from tests.engine.virtual_evidence import V1_DSSE, V2_DSSE, entry_of, stamp, verify
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
    make_tsa,
    p256,
    parse_root,
    root_json,
    trusting,
)

Verdict = tuple[type[AttestError], str]
BROKEN = (VerificationFailed, "invalid_timestamp")
MALFORMED = (MalformedEvidence, "malformed_timestamp")
UNTRUSTED = (Untrusted, "untrusted_timestamp")


def verdict(data: bytes, root: TrustRoot = ROOT) -> Verdict:
    with pytest.raises(AttestError) as caught:
        verify(data, root=root)
    return type(caught.value), caught.value.code


def tsa_with(
    label: str,
    *,
    purposes: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.TIME_STAMPING,),
    critical: bool = True,
    lifetime: Lifetime = YEARS,
    root_lifetime: Lifetime = YEARS,
    impostor: bool = False,
) -> TimestampAuthority:
    key, root_key = p256(label), p256(f"{label} root")
    root = ca_certificate(root_key, name=f"{label} root", lifetime=root_lifetime)
    leaf = make_timestamp_leaf(
        key=key,
        name=sandbox_name(label),
        validity=lifetime,
        issuer=CaSigner(key=p256("impostor") if impostor else root_key, certificate=root),
        extended_key_usage=purposes,
        critical=critical,
    )
    return TimestampAuthority(key=key, chain=(leaf, root), clock=lambda: NOW)


class Options(TypedDict, total=False):
    at: datetime | None
    embed_certificate: bool
    hash_name: str
    nonce: int | None


class ForeignCertificate(TimestampAuthority):
    """Signs with its own key and embeds its own certificate, under a trusted one's name."""

    def __init__(self, *, embedded: x509.Certificate, named: x509.Certificate) -> None:
        super().__init__(key=p256("foreign"), chain=(named,), clock=lambda: NOW)
        self.embedded = embedded

    def timestamp(self, message_digest: bytes, **options: Unpack[Options]) -> bytes:
        data = super().timestamp(message_digest, **options)
        response = asn1.decode_der(m.TimeStampResp, data)
        assert response.token is not None
        response.token.content.certificates = asn1.SetOf([self.embedded])
        return asn1.encode_der(response)


def foreign_leaf(*, same_serial: bool) -> x509.Certificate:
    trusted = HERE.tsa.chain[0]
    builder = (
        x509.CertificateBuilder()
        .subject_name(trusted.subject)
        .issuer_name(trusted.issuer)
        .public_key(p256("foreign").public_key())
        .serial_number(trusted.serial_number if same_serial else 77)
        .not_valid_before(YEARS.start)
        .not_valid_after(YEARS.end)
    )
    for extension in trusted.extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    return builder.sign(p256("foreign"), hashes.SHA256())


def foreign(*, same_serial: bool) -> TimestampAuthority:
    embedded = foreign_leaf(same_serial=same_serial)
    return ForeignCertificate(embedded=embedded, named=HERE.tsa.chain[0])


def rewritten(edit: Callable[[m.TimeStampResp], object]) -> Callable[[bytes], bytes]:
    def make(signature: bytes) -> bytes:
        response = asn1.decode_der(m.TimeStampResp, stamp()(signature))
        edit(response)
        return asn1.encode_der(response)

    return make


def refuse(response: m.TimeStampResp) -> None:
    response.status.status = 2


def refuse_without_token(response: m.TimeStampResp) -> None:
    response.status.status = 2
    response.token = None


def grant_without_token(response: m.TimeStampResp) -> None:
    response.token = None


def no_signer(response: m.TimeStampResp) -> None:
    assert response.token is not None
    response.token.content.signers = asn1.SetOf([])


def two_signers(response: m.TimeStampResp) -> None:
    """A second authority signs too: whose timestamp it is would depend on the reader."""
    other = asn1.decode_der(m.TimeStampResp, stamp(ELSEWHERE.tsa)(b"x"))
    assert response.token is not None
    assert other.token is not None
    signers = [item.token.content.signers.as_list()[0] for item in (response, other) if item.token]
    response.token.content.signers = asn1.SetOf(signers)


def signer_twice(response: m.TimeStampResp) -> None:
    assert response.token is not None
    response.token.content.signers = asn1.SetOf(response.token.content.signers.as_list() * 2)


def other_cms_version(response: m.TimeStampResp) -> None:
    assert response.token is not None
    response.token.content.version = 1


def other_signer_version(response: m.TimeStampResp) -> None:
    assert response.token is not None
    (signer,) = response.token.content.signers.as_list()
    signer.version = 3
    response.token.content.signers = asn1.SetOf([signer])


def add_certificate(response: m.TimeStampResp) -> None:
    assert response.token is not None
    certificates = [HERE.tsa.chain[0], ELSEWHERE.tsa.chain[0]]
    response.token.content.certificates = asn1.SetOf(certificates)


def other_content(response: m.TimeStampResp) -> None:
    """The info claims another time; the signature over it stays."""
    assert response.token is not None
    info = asn1.decode_der(m.TSTInfo, response.token.content.content.content)
    info.generated_at = asn1.GeneralizedTime(NOW + 2 * MINUTE)
    response.token.content.content.content = asn1.encode_der(info)


def test_timestamps_that_count() -> None:
    for made in (
        stamp(),
        stamp(embed=False),
        stamp(hash_name="sha512"),
        rewritten(lambda _: None),
        rewritten(add_certificate),  # tokens may bring a chain; it is ignored
    ):
        attestation = verify(replace(V2_DSSE, timestamps=[made]).build())
        (time,) = attestation.times
        assert (time.time, time.source) == (NOW + MINUTE, "tsa")


BROKEN_TOKENS: dict[str, tuple[Callable[[bytes], bytes], Verdict]] = {
    "over other bytes": (stamp(over=b"other"), BROKEN),
    "over a digest of the artifact": (stamp(over=b"evidence\n"), BROKEN),
    "by another key under the trusted name and serial number, certificate embedded": (
        stamp(foreign(same_serial=True)),
        BROKEN,
    ),
    "by another key, its certificate of another serial number embedded": (
        stamp(foreign(same_serial=False)),
        BROKEN,
    ),
    "by another key under the trusted name and serial number": (
        stamp(TimestampAuthority(key=p256("foreign"), chain=HERE.tsa.chain), embed=False),
        BROKEN,
    ),
    "time changed": (rewritten(other_content), BROKEN),
    "refused": (rewritten(refuse), BROKEN),
    "refused, no token": (rewritten(refuse_without_token), MALFORMED),
    "granted, no token": (rewritten(grant_without_token), MALFORMED),
    "no signer": (rewritten(no_signer), MALFORMED),
    "two signers": (rewritten(two_signers), MALFORMED),
    "the same signer twice": (rewritten(signer_twice), MALFORMED),
    "another CMS version": (rewritten(other_cms_version), MALFORMED),
    "another version of the signer": (rewritten(other_signer_version), MALFORMED),
    "trailing byte": (lambda signature: stamp()(signature) + b"\x00", MALFORMED),
    "cut off": (lambda signature: stamp()(signature)[:-1], MALFORMED),
    "not ASN.1": (lambda _: b"no timestamp", MALFORMED),
    "by an unlisted authority": (stamp(ELSEWHERE.tsa), UNTRUSTED),
    "by an unlisted authority, nothing embedded": (stamp(ELSEWHERE.tsa, embed=False), UNTRUSTED),
}


@pytest.mark.parametrize("name", BROKEN_TOKENS)
def test_a_timestamp_that_does_not_count(name: str) -> None:
    made, expected = BROKEN_TOKENS[name]
    assert verdict(replace(V2_DSSE, timestamps=[made]).build()) == expected
    # Beside a good SET an unknown one is skipped, a broken one fails all the same.
    beside = replace(V1_DSSE, timestamps=[made]).build()
    if expected is UNTRUSTED:
        trace = Trace()
        assert [item.source for item in verify(beside, trace=trace).times] == ["rekor"]
        skipped = [item.code for item in trace.checks if item.status == "skip"]
        assert skipped == ["untrusted_timestamp"]
    else:
        assert verdict(beside) == expected
    # ... and beside a good timestamp.
    both = replace(V2_DSSE, timestamps=[stamp(), made]).build()
    if expected is UNTRUSTED:
        assert len(verify(both).times) == 1
    else:
        assert verdict(both) == expected


AUTHORITIES: dict[str, TimestampAuthority] = {
    "EKU not critical": tsa_with("not critical", critical=False),
    "several purposes": tsa_with(
        "several",
        purposes=(ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING),
    ),
    "another purpose": tsa_with("other", purposes=(ExtendedKeyUsageOID.CODE_SIGNING,)),
    "leaf over at genTime": tsa_with("over", lifetime=Lifetime(start=YEARS.start, end=NOW)),
    "leaf not begun at genTime": tsa_with(
        "early", lifetime=Lifetime(start=NOW + 2 * MINUTE, end=YEARS.end)
    ),
    "root over at genTime": tsa_with("dead", root_lifetime=Lifetime(start=YEARS.start, end=NOW)),
    "leaf not signed by its root": tsa_with("unsigned", impostor=True),
}


@pytest.mark.parametrize("embed", [True, False])
@pytest.mark.parametrize("name", AUTHORITIES)
def test_an_authority_that_must_not_stamp(name: str, *, embed: bool) -> None:
    tsa = AUTHORITIES[name]
    data = replace(V2_DSSE, timestamps=[stamp(tsa, embed=embed)]).build()
    assert verdict(data, trusting(tsa=tsa)) == BROKEN


def test_an_authority_without_its_root_in_the_trusted_root() -> None:
    def cut(root: Json) -> None:
        del root["timestampAuthorities"][0]["certChain"]["certificates"][1:]

    assert verdict(V2_DSSE.build(), parse_root(root_json(cut))) == BROKEN


GEN_TIME = NOW + MINUTE
TWO = [stamp(), stamp(at=NOW + 2 * MINUTE)]


@pytest.mark.parametrize("end", [True, False])
def test_windows_of_a_timestamp_authority_include_their_ends(*, end: bool) -> None:
    def window(time: datetime) -> TrustRoot:
        def edit(root: Json) -> None:
            valid = root["timestampAuthorities"][0]["validFor"]
            valid["end" if end else "start"] = f"{time:%Y-%m-%dT%H:%M:%SZ}"

        return parse_root(root_json(edit))

    data = V2_DSSE.build()
    assert verify(data, root=window(GEN_TIME)).times
    assert verdict(data, window(GEN_TIME - SECOND if end else GEN_TIME + SECOND)) == BROKEN


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        # OpenSSL counts the second of notAfter as over, which is stricter than RFC 5280.
        (Lifetime(start=YEARS.start, end=GEN_TIME + SECOND), Lifetime(start=NOW, end=GEN_TIME)),
        (
            Lifetime(start=GEN_TIME, end=YEARS.end),
            Lifetime(start=GEN_TIME + SECOND, end=YEARS.end),
        ),
    ],
)
def test_the_authoritys_certificates_are_judged_to_the_second(
    good: Lifetime, bad: Lifetime
) -> None:
    valid, invalid = make_tsa("in time", lifetime=good), make_tsa("out of time", lifetime=bad)
    data = replace(V2_DSSE, timestamps=[stamp(valid)]).build()
    assert verify(data, root=trusting(tsa=valid)).times
    data = replace(V2_DSSE, timestamps=[stamp(invalid)]).build()
    assert verdict(data, trusting(tsa=invalid)) == BROKEN


def test_two_authorities_of_one_root_are_told_apart() -> None:
    def add(root: Json) -> None:
        other = trusted_json(ELSEWHERE.tsa)
        root["timestampAuthorities"].insert(0, other)

    root = parse_root(root_json(add))
    for tsa in (HERE.tsa, ELSEWHERE.tsa):
        assert verify(replace(V2_DSSE, timestamps=[stamp(tsa)]).build(), root=root).times


def trusted_json(tsa: TimestampAuthority) -> Json:
    chain = [{"rawBytes": b64(item.public_bytes(Encoding.DER))} for item in tsa.chain]
    return {
        "subject": {"organization": "other", "commonName": "other"},
        "uri": "https://tsa.other.example",
        "certChain": {"certificates": chain},
        "validFor": {"start": "2020-01-01T00:00:00Z"},
    }


def test_the_same_timestamp_twice_is_malformed() -> None:
    def repeat(bundle: Json) -> None:
        tokens = bundle["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"]
        tokens.append(dict(tokens[0]))

    data = replace(V2_DSSE, bundle=repeat).build()
    assert verdict(data) == (MalformedEvidence, "malformed_bundle")


def test_a_v2_entry_alone_proves_no_time() -> None:
    trace = Trace()
    with pytest.raises(VerificationFailed) as caught:
        verify(replace(V2_DSSE, timestamps=[]).build(), trace=trace)
    assert caught.value.code == "not_enough_times"
    assert trace.checks[-1].code == "not_enough_times"


def test_a_v1_time_without_its_set_does_not_count() -> None:
    def drop(bundle: Json) -> None:
        del entry_of(bundle)["inclusionPromise"]

    data = replace(V1_DSSE, bundle=drop)
    assert verdict(data.build()) == (VerificationFailed, "not_enough_times")
    stamped = verify(replace(data, timestamps=[stamp()]).build())
    assert [item.source for item in stamped.times] == ["tsa"]
    assert stamped.log_entries[0].index is None  # nothing binds the global index then


@pytest.mark.parametrize(
    ("least", "stamps", "code"),
    [(2, [], "not_enough_times"), (2, TWO, None), (3, TWO, "not_enough_times")],
)
def test_times_are_counted_by_who_gives_them(
    least: int, stamps: list[Callable[[bytes], bytes]], code: str | None
) -> None:
    document = root_json(lambda root: root["timestampAuthorities"][0].update(operator="another"))
    profile = InstanceProfile(name="strict", min_times=least)
    root = replace(parse_root(document), profile=profile)
    data = replace(V1_DSSE, timestamps=stamps).build()
    assert verdict(data, replace(ROOT, profile=profile)) == (VerificationFailed, "not_enough_times")
    if code is None:
        assert len(verify(data, root=root).times) == 3
    else:
        assert verdict(data, root) == (VerificationFailed, code)


def test_a_timestamp_of_another_bundle_does_not_count() -> None:
    other = json.loads(V2_DSSE.build())["verificationMaterial"]["timestampVerificationData"]

    def swap(bundle: Json) -> None:
        bundle["verificationMaterial"]["timestampVerificationData"] = other

    assert verdict(replace(V2_DSSE, bundle=swap).build()) == BROKEN
