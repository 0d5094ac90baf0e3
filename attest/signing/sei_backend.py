"""Which key signs `.sei` artefacts: chosen by the environment, and of P-256 whatever it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from attest.config import did_you_mean
from attest.denied_keys import denied_key
from attest.errors import UsageError
from attest.keys import PublicKey
from attest.signing.sei_local import open_local_key

if TYPE_CHECKING:  # a key at hand needs no services
    from attest.signing.keyed import SigningKey
    from attest.signing.transport import Patience

BACKEND_VARIABLE = "SEI_SIGNING_BACKEND"
LOCAL, SCALEWAY = "local", "scaleway-kms"


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenedSeiKey:
    """A key that signs `.sei` artefacts, and what whoever signs with it must be told."""

    key: SigningKey
    warning: str | None


@contextmanager
def open_backend(
    environ: Mapping[str, str], *, patience: Patience | None = None
) -> Iterator[OpenedSeiKey]:
    """Open the key that the environment names.

    Args:
        environ: the environment; `SEI_SIGNING_BACKEND` chooses, without it `local`.
        patience: how long to try a service that fails.

    Raises:
        UsageError: `unknown_signing_backend`, `unsupported_key_kind`; of `local` those of
            `open_local_key`, of `scaleway-kms` those of `open_scaleway_key`.
        SigningError, NetworkError: those of `open_scaleway_key`.
    """
    backend = environ.get(BACKEND_VARIABLE, LOCAL)
    if backend == LOCAL:
        yield checked_key(open_local_key(environ), where=LOCAL)
    elif backend == SCALEWAY:
        from attest.signing.scaleway import open_scaleway_key, read_location

        with open_scaleway_key(read_location(environ), patience=patience) as key:
            yield checked_key(key, where=SCALEWAY)
    else:
        raise UsageError(
            "unknown_signing_backend",
            f"there is no signing backend {backend!r}",
            where=BACKEND_VARIABLE,
            hint=did_you_mean(backend, (LOCAL, SCALEWAY)),
        )


def needs_network(environ: Mapping[str, str]) -> bool:
    """Whether the backend that the environment names is asked over the network."""
    return environ.get(BACKEND_VARIABLE) == SCALEWAY


def checked_key(key: SigningKey, *, where: str) -> OpenedSeiKey:
    """A key that can sign `.sei` artefacts, with the warning that it may need.

    Args:
        key: signs.
        where: what it was opened by, for errors.

    Raises:
        UsageError: `unsupported_key_kind`, for any but P-256.
    """
    require_p256(key.public, where=where)
    denied = denied_key(key.public.key_id.hex())
    if denied is None:
        return OpenedSeiKey(key=key, warning=None)
    return OpenedSeiKey(
        key=key,
        warning=f"this is {denied.what}: everybody has it, so that its signatures prove nothing"
        " about who signed; no policy and no --pubkey accepts them",
    )


def require_p256(public: PublicKey, *, where: str) -> None:
    """Refuse keys that cannot sign or verify `.sei` artefacts.

    Raises:
        UsageError: `unsupported_key_kind`.
    """
    if not public.is_p256:
        raise UsageError(
            "unsupported_key_kind",
            ".sei artefacts are signed with ECDSA P-256 alone",
            where=where,
            hint="use a key of P-256: attest key generate makes one",
        )
