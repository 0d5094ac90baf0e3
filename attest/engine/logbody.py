"""Step 5, first half: the body of a log entry binds this content, this signature and its signer."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key

from attest.bundle import UntrustedLogEntry
from attest.engine.signature import SignedContent
from attest.errors import MalformedEvidence, VerificationFailed
from attest.keys import PublicKey
from attest.strictjson import Members, decode_hex, loads

_CODE = "invalid_tlog_entry"
_RULE = "step 5"
_BEGIN = b"-----BEGIN "
_V2_HASHES = {"sha256": "SHA2_256", "sha384": "SHA2_384", "sha512": "SHA2_512"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Binding:
    """What an entry's body must bind: the certificate, its key, the signature, the content.

    `certificate` is None where a key signed: then the body must hold that key and nothing else.
    """

    certificate: x509.Certificate | None
    key: PublicKey
    signature: bytes
    content: SignedContent


def is_v2(entry: UntrustedLogEntry) -> bool:
    """Whether the entry is of a Rekor v2 log, by its kind; `intoto` 0.0.2 is one of v1."""
    return entry.version == "0.0.2" and entry.kind != "intoto"


def check_body(entry: UntrustedLogEntry, binding: Binding) -> None:
    """Check that an entry's body binds what was signed.

    Args:
        entry: the log entry as read.
        binding: what it must bind.

    Raises:
        MalformedEvidence: `invalid_tlog_entry` or a code of `strictjson.loads`.
        VerificationFailed: `unsupported_log_entry`, `invalid_tlog_entry`.

    Source: sigstore/rekor, pkg/types; sigstore/rekor-tiles, api/proto/rekor/v2; R-086.
    """
    where = f"{entry.where}.canonicalizedBody"
    body = Members(loads(entry.body, where=where), where=where, code=_CODE)
    if body.string("apiVersion") != entry.version or body.string("kind") != entry.kind:
        raise _mismatch("its kind and version differ from kindVersion", where)
    spec = body.members("spec")
    body.no_others()
    enveloped = binding.content.message is not None
    match (entry.kind, entry.version, enveloped):
        case ("hashedrekord", "0.0.1", _):  # of an envelope, its digest is of the PAE
            _hashedrekord_v1(spec, binding)
        case ("dsse", "0.0.1", True):
            _dsse_v1(spec, binding)
        case ("intoto", "0.0.2", True):
            _intoto_v2(spec, binding)
        case ("hashedrekord", "0.0.2", _):
            _hashedrekord_v2(spec, binding)
        case ("intoto", "0.0.1", _):
            raise _unsupported(
                "an intoto 0.0.1 entry does not say which signature it is for", entry
            )
        case _:
            content = "an envelope" if enveloped else "a message signature"
            raise _unsupported(f"entry kind {entry.kind!r} {entry.version!r} for {content}", entry)


def _hashedrekord_v1(spec: Members, binding: Binding) -> None:
    data = spec.members("data")
    _check_hash(data, "hash", binding.content.algorithm, binding.content.digest)
    data.no_others()
    signature = spec.members("signature")
    _check_bytes(signature, "content", binding.signature, "signature")
    public_key = signature.members("publicKey")
    _check_pem(public_key, "content", binding)
    public_key.no_others()
    signature.no_others()
    spec.no_others()


def _dsse_v1(spec: Members, binding: Binding) -> None:
    payload = binding.content.payload or b""
    _check_hash(spec, "payloadHash", "sha256", hashlib.sha256(payload).digest())
    signatures = spec.list_of_members("signatures")
    if len(signatures) != 1:
        raise spec.fail("signatures", "must hold exactly one signature")
    _check_bytes(signatures[0], "signature", binding.signature, "signature")
    _check_pem(signatures[0], "verifier", binding)
    signatures[0].no_others()
    # Hash of an uncanonicalised envelope: no two clients agree on its bytes, so it proves nothing.
    spec.raw("envelopeHash")
    spec.no_others()


def _intoto_v2(spec: Members, binding: Binding) -> None:
    content = spec.members("content")
    spec.no_others()
    payload = binding.content.payload or b""
    _check_hash(content, "payloadHash", "sha256", hashlib.sha256(payload).digest())
    content.raw("hash")  # of an uncanonicalised envelope, as `envelopeHash` in `dsse`
    envelope = content.members("envelope")
    content.no_others()
    if envelope.string("payloadType") != binding.content.payload_type:
        raise _mismatch("it was made for another payload type", envelope.path("payloadType"))
    signatures = envelope.list_of_members("signatures")
    envelope.no_others()
    if len(signatures) != 1:
        raise envelope.fail("signatures", "must hold exactly one signature")
    # In base64 twice: the entry holds the envelope's text as bytes, and JSON writes those again.
    _check_bytes(signatures[0], "sig", b64encode(binding.signature), "signature")
    _check_pem(signatures[0], "publicKey", binding)
    signatures[0].string("keyid", "")
    signatures[0].no_others()


def _hashedrekord_v2(spec: Members, binding: Binding) -> None:
    record = spec.members("hashedRekordV002")
    spec.no_others()
    data = record.members("data")
    algorithm = _V2_HASHES[binding.content.algorithm]
    if data.string("algorithm") != algorithm:
        raise _mismatch(f"its hash is not {algorithm}, which goes with the key", data.where)
    _check_bytes(data, "digest", binding.content.digest, "content")
    data.no_others()
    signature = record.members("signature")
    record.no_others()
    _check_bytes(signature, "content", binding.signature, "signature")
    verifier = signature.members("verifier")
    signature.no_others()
    if verifier.string("keyDetails") not in binding.key.details:
        raise _mismatch("its keyDetails do not fit the key", verifier.where)
    _check_der(verifier, binding)
    verifier.no_others()


def _check_der(verifier: Members, binding: Binding) -> None:
    """Check that a v2 body holds the certificate or the key, and nothing of the other kind."""
    name, what, expected = "publicKey", "key", binding.key.spki
    if binding.certificate is not None:
        name, what = "x509Certificate", "certificate"
        expected = binding.certificate.public_bytes(Encoding.DER)
    if not verifier.has(name):
        raise _mismatch(f"it does not hold the {what} that signed", verifier.where)
    holder = verifier.members(name)
    _check_bytes(holder, "rawBytes", expected, what)
    holder.no_others()


def _check_hash(parent: Members, key: str, algorithm: str, digest: bytes) -> None:
    claimed = parent.members(key)
    if claimed.string("algorithm") != algorithm:
        raise _mismatch(f"its hash is not {algorithm}, which goes with the key", claimed.where)
    value = decode_hex(claimed.string("value"), where=claimed.path("value"), code=_CODE)
    claimed.no_others()
    if value != digest:
        raise _mismatch("it was made for other content", claimed.where)


def _check_bytes(parent: Members, key: str, expected: bytes, what: str) -> None:
    # Encoding what we expect is cheaper than decoding what we got, and as strict.
    if parent.string(key) != b64encode(expected).decode("ascii"):
        raise _mismatch(f"it was made for another {what}", parent.path(key))


def _check_pem(parent: Members, key: str, binding: Binding) -> None:
    """Check that a v1 body holds the certificate or the key, and nothing of the other kind."""
    label, der, what = b"PUBLIC KEY", binding.key.spki, "key"
    if binding.certificate is not None:
        label, what = b"CERTIFICATE", "certificate"
        der = binding.certificate.public_bytes(Encoding.DER)
    pem = parent.base64(key)
    # Comparing the text without its line breaks is cheaper than making or parsing PEM.
    expected = b"-----BEGIN %b-----%b-----END %b-----" % (label, b64encode(der), label)
    if pem.replace(b"\n", b"") == expected:
        return
    # Another layout of the PEM text can still hold the same DER.
    load = _key_in if binding.certificate is None else _certificate_in
    if load(pem) != der:
        raise _mismatch(f"it was made for another {what}", parent.path(key))


def _certificate_in(pem: bytes) -> bytes | None:
    try:
        return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    # The last is what a warning about an odd certificate is where a filter raises it.
    except (ValueError, x509.InvalidVersion, UserWarning):
        return None


def _key_in(pem: bytes) -> bytes | None:
    if pem.count(_BEGIN) != 1:
        return None  # of several, readers could take different ones
    try:
        return PublicKey(load_pem_public_key(pem)).spki
    except (ValueError, UnsupportedAlgorithm):
        return None


def _mismatch(message: str, where: str) -> VerificationFailed:
    return VerificationFailed(_CODE, message, where=where, rule=_RULE)


def _unsupported(message: str, entry: UntrustedLogEntry) -> VerificationFailed:
    where = f"{entry.where}.kindVersion"
    return VerificationFailed("unsupported_log_entry", message, where=where, rule=_RULE)


def malformed(message: str, where: str) -> MalformedEvidence:
    """The error for an entry that contradicts itself."""
    return MalformedEvidence(_CODE, message, where=where, rule=_RULE)
