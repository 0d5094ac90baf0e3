"""Whose signature a bundle without a certificate bears, as far as keys were given."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence

from attest.bundle import UntrustedBundle, UntrustedLogEntry, UntrustedMessageSignature
from attest.engine.signature import DigestOf, signed_content, verify_signature
from attest.errors import Untrusted, VerificationFailed
from attest.keys import PublicKey

_LINE = 64
_BEGIN = b"-----BEGIN PUBLIC KEY-----"


def attribute_key(
    bundle: UntrustedBundle, keys: Sequence[PublicKey], digest_of: DigestOf
) -> PublicKey:
    """The given key that signed, or else the one that the bundle says signed.

    A bundle names its key by a hint and in its log entries, neither of which its signature covers:
    a key with which the signature verifies goes before any that is named. One that is only named
    is answered all the same, so that what claims to be ours and is not fails, and is not skipped.

    Args:
        bundle: a bundle without a certificate.
        keys: those whose signatures count.
        digest_of: digests of the artifact; not asked for envelopes.

    Raises:
        Untrusted: `untrusted_key`, if no given key is named or signed.
    """
    hinted = [key for key in keys if _hinted(bundle.key_hint, key)]
    ordered = (*hinted, *(key for key in keys if key not in hinted))
    for key in ordered:
        if _signed(bundle, key, digest_of):
            return key
    for key in ordered:
        if key in hinted or any(_logged(entry, key) for entry in bundle.entries):
            return key
    raise Untrusted(
        "untrusted_key",
        "signed with a key that was not given" if keys else "signed with a key, and none was given",
        where="verificationMaterial.publicKey",
        hint="give the public key of a signer whom you trust: --key FILE",
    )


def _signed(bundle: UntrustedBundle, key: PublicKey, digest_of: DigestOf) -> bool:
    if isinstance(bundle.content, UntrustedMessageSignature) and (
        key.digest is None or digest_of(key.digest) is None
    ):
        return False  # cannot be told; step 6 says why, should the bundle name this key
    try:
        verify_signature(bundle, key, signed_content(bundle, key, digest_of))
    except VerificationFailed:
        return False
    return True


def _hinted(hint: str, key: PublicKey) -> bool:
    """Whether a hint is the key's id: SHA-256 of the SPKI in hex or, as is usual, in base64."""
    text = hint.removeprefix("SHA256:")
    encoded = b64encode(key.key_id).decode("ascii")
    return text.lower() == key.key_id.hex() or text.rstrip("=") == encoded.rstrip("=")


def _logged(entry: UntrustedLogEntry, key: PublicKey) -> bool:
    """Whether an entry's body holds the key, as DER (v2) or as PEM (v1).

    Looked for as text, so that a body of any form can be asked.
    """
    der = b64encode(key.spki)
    lines = [der[at : at + _LINE] for at in range(0, len(der), _LINE)]
    pem = b"\n".join((_BEGIN, *lines))
    # Whole groups of three bytes: what follows in the text does not change their base64.
    return der in entry.body or b64encode(pem[: len(pem) // 3 * 3]) in entry.body
