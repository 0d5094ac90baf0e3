"""Signing a run's targets with one key instead of an identity."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from attest.api.earlier import Identity
from attest.digest import Algorithm
from attest.errors import AttestError
from attest.keys import PublicKey
from attest.signing import StagedSigner
from attest.signing.instance import SigningInstance
from attest.verified import KeyIdentity

if TYPE_CHECKING:  # who signs with an identity needs none of it
    from attest.signing.keyed import SigningKey


@dataclass(frozen=True, kw_only=True, slots=True)
class UsedKey:
    """The public half of a key that signs, and what its signatures are to prove.

    `log` and `time` say whether they are logged, and whether anything proves when they were made.
    """

    public: PublicKey
    log: bool = True
    time: bool = True

    @property
    def algorithm(self) -> Algorithm:
        """By which a file is hashed to be signed; what Ed25519 cannot sign is refused later."""
        return self.public.digest or "sha256"


@dataclass(frozen=True, kw_only=True, slots=True)
class KeySigners:
    """The one signer of a key; see `Signers`."""

    key: SigningKey
    signer: StagedSigner

    @property
    def lost(self) -> AttestError | None:
        """See `Signers.lost`: a key does not expire."""
        return None

    def expected(self) -> Identity:
        """The key, as its principal."""
        principal = KeyIdentity(key_id=self.key.public.key_id.hex()).principal
        return Identity(subject=principal, issuer="")

    def current(self) -> StagedSigner:
        """See `Signers.current`."""
        return self.signer


@contextmanager
def open_key_signers(
    key: SigningKey, instance: SigningInstance, *, log: bool, timestamp: bool
) -> Iterator[KeySigners]:
    """Sign with a key.

    Args:
        key: signs.
        instance: whose authorities and logs are used.
        log: whether signatures are logged.
        timestamp: whether they are timestamped.

    Raises:
        UsageError: `time_needed`.
        TrustError: `trust_config_invalid` where the instance lacks a service.
    """
    from attest.signing.keyed import open_keyed_signer

    with open_keyed_signer(key, instance, log=log, timestamp=timestamp) as signer:
        yield KeySigners(key=key, signer=signer)
