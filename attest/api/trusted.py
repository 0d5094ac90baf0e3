"""What counts as evidence while signing: the instance's root, and the key if one signs."""

from __future__ import annotations

from dataclasses import dataclass

from attest.bundle import UntrustedBundle
from attest.engine.content import ArtifactContent, PackContent
from attest.engine.trace import Trace
from attest.engine.verify import verify_bundle
from attest.keys import PublicKey
from attest.limits import Limits
from attest.trust.root import TrustRoot
from attest.verified import VerifiedAttestation


@dataclass(frozen=True, kw_only=True, slots=True)
class Trusted:
    """A root and the keys whose signatures count beside it, and what of those must be proven."""

    root: TrustRoot
    keys: tuple[PublicKey, ...] = ()
    key_log: bool = True
    key_time: bool = True

    def verify(
        self, bundle: UntrustedBundle, content: PackContent | ArtifactContent, limits: Limits
    ) -> VerifiedAttestation:
        """Run the engine; see `verify_bundle`.

        Raises:
            Untrusted, MalformedEvidence, VerificationFailed: the codes of `verify_bundle`.
        """
        return verify_bundle(
            bundle,
            content,
            self.root,
            Trace(),
            keys=self.keys,
            key_log=self.key_log,
            key_time=self.key_time,
            limits=limits,
        )
