"""What is logged twice, what is kept between signing and logging, and what nobody may change."""

from __future__ import annotations

import hashlib
import json
import time
from base64 import b64decode
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from attest.bundle import parse_bundle
from attest.connections import Reply, Request
from attest.digest import Digests
from attest.engine.content import ArtifactContent
from attest.engine.trace import Trace
from attest.engine.verify import verify_bundle
from attest.errors import SigningError, UsageError
from attest.keys import PublicKey
from attest.oidc import IdentityToken
from attest.sandbox import Sandbox
from attest.signing.config import RekorVersion, Services
from attest.signing.instance import SigningInstance
from attest.signing.keyless import open_keyless_signer
from attest.signing.submit import Submitter
from attest.signing.timestamp import request_timestamp
from attest.signing.transport import Patience, Transport
from attest.signing.work import Content, DigestContent, EnvelopeContent, SignedWork, Verifier
from attest.statement import pack_statement
from attest.strictjson import JSON, encode_base64

DIGEST = hashlib.sha256(b"content").digest()
CONTENTS: list[Content] = [
    DigestContent(digest=DIGEST),
    EnvelopeContent(payload=pack_statement(DIGEST)),
]
HURRIED = Patience(pause_seconds=0.001)


@pytest.fixture(autouse=True)
def _working(sandbox: Sandbox) -> Iterator[None]:
    yield
    sandbox.faults.clear()


@pytest.fixture
def submitter(sandbox: Sandbox) -> Iterator[Submitter]:
    with Transport(HURRIED) as transport:
        yield submitter_of(SigningInstance.from_file(sandbox.trust_config), transport)


def submitter_of(instance: SigningInstance, transport: Transport) -> Submitter:
    services = instance.services.submission(datetime.now(UTC), rekor_version=None)
    return Submitter(services=services, root=instance.root, transport=transport)


def with_log(sandbox: Sandbox, submitter: Submitter, version: RekorVersion) -> Submitter:
    config = sandbox.trust_config if version == 1 else sandbox.trust_config_v2
    return submitter_of(SigningInstance.from_file(config), submitter.transport)


@pytest.fixture
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def by_key(key: ec.EllipticCurvePrivateKey, content: Content) -> SignedWork:
    if isinstance(content, DigestContent):
        signature = key.sign(content.digest, ec.ECDSA(Prehashed(hashes.SHA256())))
    else:
        signature = key.sign(content.message, ec.ECDSA(hashes.SHA256()))
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return SignedWork(content=content, verifier=Verifier(spki=spki), signature=signature)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("content", CONTENTS)
def test_a_signature_by_a_key_takes_the_same_way(
    sandbox: Sandbox,
    submitter: Submitter,
    key: ec.EllipticCurvePrivateKey,
    content: Content,
    version: RekorVersion,
) -> None:
    submitter = with_log(sandbox, submitter, version)
    work = submitter.timestamp(by_key(key, content))
    data = submitter.complete(work)
    given_key = PublicKey(key.public_key())
    if isinstance(content, DigestContent):
        wanted = ArtifactContent(digest_of=Digests(sha256=DIGEST))
        verify_bundle(parse_bundle(data), wanted, submitter.root, Trace(), keys=[given_key])
    assert len(parse_bundle(data).timestamps) == 1


@pytest.mark.parametrize("content", CONTENTS)
def test_what_is_logged_already_is_found_and_is_the_same(
    submitter: Submitter, key: ec.EllipticCurvePrivateKey, content: Content
) -> None:
    work = submitter.timestamp(by_key(key, content))
    (first,), (second,) = submitter.log(work), submitter.log(work)
    assert (first.body, first.index, first.integrated_time) == (
        second.body,
        second.index,
        second.integrated_time,
    )


class Slow(Transport):
    """Has answers in time, each of them late."""

    def ask(
        self, request: Request, *, service: str, repeatable: bool, passing: Iterable[int] = ()
    ) -> Reply:
        time.sleep(0.2)
        return super().ask(request, service=service, repeatable=repeatable, passing=passing)


def test_an_entry_is_not_read_from_many_slow_tiles_for_ever(
    sandbox: Sandbox, submitter: Submitter, key: ec.EllipticCurvePrivateKey
) -> None:
    submitter = with_log(sandbox, submitter, 2)
    work = submitter.timestamp(by_key(key, CONTENTS[0]))
    (first,) = submitter.log(work)
    assert submitter.log(work)[0].index == first.index
    slow = Slow(Patience(attempts=1, total_seconds=0.3))
    with slow, pytest.raises(SigningError) as caught:
        replace(submitter, transport=slow).log(work)
    assert caught.value.code == "log_unavailable"


@pytest.mark.parametrize("content", CONTENTS)
def test_an_entry_that_is_older_than_the_certificate_is_not_ours(
    sandbox: Sandbox, person: IdentityToken, instance: SigningInstance, content: Content
) -> None:
    with open_keyless_signer(person, instance, patience=HURRIED) as signer:
        work = signer.prepare(content)
        body = json.loads(signer.complete(work))["verificationMaterial"]["tlogEntries"][0]
    # The same body, logged before the certificate began: no honest log has that.
    other = Sandbox.start(sandbox.directory.parent / f"older-{type(content).__name__}")
    with other, Transport(HURRIED) as transport:
        past = datetime.now(UTC) - timedelta(days=1)
        other.instance.rekor1.add(parse_bundle_body(body), at=past)
        services = SigningInstance.from_file(other.trust_config).services.submission(
            datetime.now(UTC), rekor_version=1
        )
        lying = Submitter(services=services, root=instance.root, transport=transport)
        with pytest.raises(SigningError) as caught:
            lying.log(work)
    assert caught.value.code == "log_entry_not_ours"


def parse_bundle_body(entry: dict[str, str]) -> bytes:
    return b64decode(entry["canonicalizedBody"])


@pytest.mark.parametrize("config", ["trust_config", "trust_config_v2"])
@pytest.mark.parametrize("content", CONTENTS)
def test_work_that_was_kept_is_completed_later(
    sandbox: Sandbox, person: IdentityToken, content: Content, config: str
) -> None:
    instance = SigningInstance.from_file(getattr(sandbox, config))
    sandbox.faults.inject("log-500")
    with open_keyless_signer(person, instance, patience=HURRIED) as signer:
        work = signer.prepare(content)
        with pytest.raises(SigningError) as caught:
            signer.complete(work)
    assert caught.value.code == "log_unavailable"
    kept = json.dumps(work.to_json())
    assert not any(part in kept for part in person.reveal().split("."))
    assert "PRIVATE" not in kept

    sandbox.faults.clear()
    read = SignedWork.from_json(json.loads(kept), where="pending")
    assert read == work
    with Transport(HURRIED) as transport:
        data = submitter_of(instance, transport).complete(read)
    assert parse_bundle(data).timestamps == work.timestamps


@pytest.mark.parametrize(("version", "stamped", "code"), [
    (1, True, "certificate_expired"),
    (1, False, "certificate_expired"),
    (2, False, "certificate_expired"),
    (2, True, None),
])  # fmt: skip
def test_after_the_certificate_only_a_v2_log_with_the_kept_timestamp_is_used(
    sandbox: Sandbox,
    submitter: Submitter,
    key: ec.EllipticCurvePrivateKey,
    version: RekorVersion,
    *,
    stamped: bool,
    code: str | None,
) -> None:
    ended = datetime.now(UTC) - timedelta(seconds=1)
    certificate = sandbox.instance.ca.issue(
        public_key=key.public_key(),
        san=x509.RFC822Name("ana@acme.example"),
        issuer="https://accounts.google.com",
        sct_log=sandbox.instance.ctlog,
        not_before=ended - timedelta(minutes=10),
        not_after=ended,
    )
    work = replace(by_key(key, CONTENTS[0]), verifier=Verifier.of_certificate(certificate))
    stamp = sandbox.instance.tsa.timestamp(
        hashlib.sha256(work.signature).digest(), at=ended - timedelta(minutes=5)
    )
    work = replace(work, timestamps=(stamp,) if stamped else ())
    submitter = with_log(sandbox, submitter, version)
    if code is None:
        data = submitter.complete(work)
        wanted = ArtifactContent(digest_of=Digests(sha256=DIGEST))
        verify_bundle(parse_bundle(data), wanted, submitter.root, Trace())
        return
    size = sandbox.instance.rekor1.size, sandbox.instance.rekor2.size
    with pytest.raises(SigningError) as caught:
        submitter.complete(work)
    assert caught.value.code == code
    assert (sandbox.instance.rekor1.size, sandbox.instance.rekor2.size) == size


@pytest.mark.parametrize(
    ("version", "content"), [(1, CONTENTS[0]), (2, CONTENTS[0]), (2, CONTENTS[1])]
)
def test_what_no_log_could_take_is_refused_before_anything_is_sent(
    sandbox: Sandbox, submitter: Submitter, version: RekorVersion, content: Content
) -> None:
    spki = (
        ed25519.Ed25519PrivateKey.generate()
        .public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )
    work = SignedWork(content=content, verifier=Verifier(spki=spki), signature=bytes(64))
    sandbox.faults.inject("tsa-down")
    with pytest.raises(UsageError) as caught:
        with_log(sandbox, submitter, version).timestamp(work)
    assert caught.value.code == "unsupported_key"


def test_without_services_a_step_is_left_out(
    submitter: Submitter, key: ec.EllipticCurvePrivateKey
) -> None:
    none = replace(submitter, services=Services(timestamp_authorities=(), logs=()))
    bundle = parse_bundle(none.complete(none.timestamp(by_key(key, CONTENTS[0]))))
    assert (bundle.entries, bundle.timestamps) == ((), ())


GOOD = SignedWork(
    content=CONTENTS[1],
    verifier=Verifier(
        spki=ec.generate_private_key(ec.SECP256R1())
        .public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ),
    signature=b"signature",
    timestamps=(b"one", b"two"),
)


@pytest.mark.parametrize(
    "change",
    [
        {"content": {}},
        {"content": {"sha256": "00"}},
        {"content": {"sha256": "00" * 32, "sha512": "00" * 64}},
        {"content": {"payload": "e30="}},
        {"content": {"payload": "e30=", "payloadType": "x", "sha256": "00" * 32}},
        {"verifier": {}},
        {"verifier": {"publicKey": "AAAA"}},
        {"verifier": {"certificate": "AAAA"}},
        {"verifier": {"publicKey": encode_base64(GOOD.verifier.spki), "more": 1}},
        {"signature": ""},
        {"signature": "?"},
        {"timestamps": "x"},
        {"timestamps": [1]},
        {"timestamps": ["-_-_"]},
        {"more": 1},
    ],
)
def test_kept_work_that_was_changed(change: dict[str, JSON]) -> None:
    with pytest.raises(SigningError) as caught:
        SignedWork.from_json({**GOOD.to_json(), **change}, where="pending")
    assert (caught.value.code, caught.value.exit_code) == ("malformed_pending", 2)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(key=st.sampled_from([*GOOD.to_json(), "x"]), value=_JSON)
def test_any_kept_work_is_read_as_written_or_refused(key: str, value: JSON) -> None:
    changed = {**GOOD.to_json(), key: value}
    with suppress(SigningError):
        read = SignedWork.from_json(changed, where="pending")
        assert SignedWork.from_json(read.to_json(), where="again") == read


def test_a_key_in_the_address_of_an_authority_is_not_told(submitter: Submitter) -> None:
    secret = "not-a-real-key"
    service = replace(
        submitter.services.timestamp_authorities[0],
        url=f"http://u:{secret}@127.0.0.1:1/?k={secret}",
    )
    with Transport(Patience(attempts=1)) as transport, pytest.raises(SigningError) as caught:
        request_timestamp(b"", service=service, root=submitter.root, transport=transport)
    assert caught.value.code == "timestamp_missing"
    assert caught.value.where == "http://127.0.0.1:1/?…"
    assert secret not in f"{caught.value!r} {caught.value} {caught.value.hint}"
