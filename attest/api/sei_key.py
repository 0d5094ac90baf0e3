"""The key that signs `.sei` artefacts: of the environment's backend, or any other that is named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from attest.api.key import open_key, public_key_of
from attest.keys import PublicKey
from attest.signing.keyfile import Passphrase
from attest.signing.sei_backend import (
    OpenedSeiKey,
    checked_key,
    needs_network,
    open_backend,
    require_p256,
)

__all__ = ["OpenedSeiKey", "needs_network", "open_sei_key", "sei_public_key"]


@contextmanager
def open_sei_key(
    environ: Mapping[str, str], *, reference: str | None = None, passphrase: Passphrase
) -> Iterator[OpenedSeiKey]:
    """Open a key to sign with.

    Args:
        environ: the environment: `SEI_SIGNING_BACKEND` and what the backend needs.
        reference: a key file or URI, as `open_key` takes it; without it the environment says.
        passphrase: opens an encrypted file; of a token it is the PIN.

    Raises:
        UsageError: `unsupported_key_kind`, for any but P-256; the codes of `open_key` for a
            reference, else those of `open_backend`.
        SigningError, NetworkError: those of the key's service.
    """
    if reference is None:
        with open_backend(environ) as opened:
            yield opened
    else:
        yield checked_key(open_key(reference, passphrase=passphrase), where=reference)


def sei_public_key(
    environ: Mapping[str, str], *, reference: str | None = None, passphrase: Passphrase
) -> PublicKey:
    """The public half of that key; its `point` in hex is what `--pubkey` takes.

    Args:
        environ: as for `open_sei_key`.
        reference: likewise, or a file that holds the public key itself.
        passphrase: likewise.

    Raises:
        UsageError, SigningError, NetworkError: as for `open_sei_key`, and `invalid_key`.
    """
    if reference is None:
        with open_backend(environ) as opened:
            return opened.key.public
    public = public_key_of(reference, passphrase=passphrase)
    require_p256(public, where=reference)
    return public
