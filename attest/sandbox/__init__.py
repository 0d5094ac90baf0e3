"""A private Sigstore on loopback, for development and tests; nothing it signs is for production."""

from __future__ import annotations

from attest.sandbox.ca import CertificateAuthority, LeafProfile
from attest.sandbox.certificates import Signer, Validity
from attest.sandbox.ctlog import CTLog
from attest.sandbox.instance import Instance
from attest.sandbox.names import SANDBOX_ORGANIZATION
from attest.sandbox.oidc import OidcIssuer
from attest.sandbox.refusal import Refusal, SandboxError
from attest.sandbox.rekor1 import EntryV1, TransparencyLogV1
from attest.sandbox.rekor2 import EntryV2, TransparencyLogV2
from attest.sandbox.sandbox import Sandbox
from attest.sandbox.tsa import TimestampAuthority

__all__ = [
    "SANDBOX_ORGANIZATION",
    "CTLog",
    "CertificateAuthority",
    "EntryV1",
    "EntryV2",
    "Instance",
    "LeafProfile",
    "OidcIssuer",
    "Refusal",
    "Sandbox",
    "SandboxError",
    "Signer",
    "TimestampAuthority",
    "TransparencyLogV1",
    "TransparencyLogV2",
    "Validity",
]
