"""The parts of one sandbox, loaded from its directory or made on the first visit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from attest.sandbox import config
from attest.sandbox.ca import CertificateAuthority
from attest.sandbox.certificates import Signer, Validity
from attest.sandbox.clock import Clock, utc_now
from attest.sandbox.ctlog import CTLog
from attest.sandbox.fulcio import Fulcio
from attest.sandbox.messages import TrustedRoot
from attest.sandbox.names import GITHUB_ISSUER
from attest.sandbox.oidc import OidcIssuer
from attest.sandbox.refusal import SandboxError
from attest.sandbox.rekor1 import TransparencyLogV1
from attest.sandbox.rekor2 import TransparencyLogV2
from attest.sandbox.store import FileJournal, KeyStore
from attest.sandbox.tokens import TokenIssuer
from attest.sandbox.tsa import TimestampAuthority
from attest.sandbox.tuf import TufRepository

BACKDATED: Final = timedelta(days=400)
"""How long before its making a sandbox is valid, so that tests can mint evidence of the past."""

LIFETIME: Final = timedelta(days=3650)


@dataclass(frozen=True, kw_only=True, slots=True)
class Instance:
    """Every service of a sandbox; each can be used alone."""

    ca: CertificateAuthority
    ctlog: CTLog
    rekor1: TransparencyLogV1
    rekor2: TransparencyLogV2
    tsa: TimestampAuthority
    oidc: OidcIssuer
    fulcio: Fulcio
    tuf: TufRepository

    @classmethod
    def open(cls, directory: Path, *, clock: Clock = utc_now) -> Instance:
        """Load the sandbox in `directory`, or make one there.

        Args:
            directory: created if missing.
            clock: tells every part the time.
        """
        directory.mkdir(parents=True, exist_ok=True)
        if not directory.is_dir():
            raise SandboxError(f"{directory}: not a directory")
        keys = KeyStore(directory / "keys")
        state = directory / "state"
        state.mkdir(mode=0o700, exist_ok=True)
        now = clock()
        validity = Validity(start=now - BACKDATED, end=now + LIFETIME)
        ctlog = CTLog(key=keys.ecdsa("ctlog", ec.SECP256R1()))
        ca = _authority(keys, validity, clock)
        oidc = OidcIssuer(
            tokens=TokenIssuer(key=keys.ecdsa("oidc", ec.SECP256R1()), clock=clock), clock=clock
        )
        return cls(
            ca=ca,
            ctlog=ctlog,
            rekor1=TransparencyLogV1(
                key=keys.ecdsa("rekor1", ec.SECP256R1()),
                journal=FileJournal(state / "rekor1.jsonl"),
                clock=clock,
            ),
            rekor2=TransparencyLogV2(
                key=keys.ed25519("rekor2"), journal=FileJournal(state / "rekor2.jsonl")
            ),
            tsa=_timestamp_authority(keys, validity, clock),
            oidc=oidc,
            fulcio=Fulcio(
                ca=ca,
                ctlog=ctlog,
                tokens=oidc.tokens,
                issuers=lambda: {oidc.url, GITHUB_ISSUER},
            ),
            tuf=TufRepository(directory / "tuf", keys, clock=clock),
        )

    def trusted_root(self) -> TrustedRoot:
        """The trusted root of these parts."""
        return config.trusted_root(
            ca=self.ca,
            ctlog=self.ctlog,
            rekor1=self.rekor1,
            rekor2=self.rekor2,
            tsa=self.tsa,
        )


def _authority(keys: KeyStore, validity: Validity, clock: Clock) -> CertificateAuthority:
    root_key = keys.ecdsa("root", ec.SECP384R1())
    intermediate_key = keys.ecdsa("intermediate", ec.SECP384R1())
    intermediate, root = keys.chain(
        "fulcio",
        lambda: (
            CertificateAuthority.create(
                validity=validity, root_key=root_key, intermediate_key=intermediate_key
            ).chain
        ),
    )
    return CertificateAuthority(
        intermediate=Signer(key=intermediate_key, certificate=intermediate),
        root=root,
        clock=clock,
    )


def _timestamp_authority(keys: KeyStore, validity: Validity, clock: Clock) -> TimestampAuthority:
    root_key = keys.ecdsa("tsa-root", ec.SECP384R1())
    key = keys.ecdsa("tsa", ec.SECP256R1())
    chain = keys.chain(
        "tsa",
        lambda: TimestampAuthority.create(validity=validity, root_key=root_key, key=key).chain,
    )
    return TimestampAuthority(key=key, chain=chain, clock=clock)
