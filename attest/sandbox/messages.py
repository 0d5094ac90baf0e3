"""Sigstore's protobuf messages, from one place: importing them needs a precaution."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    # sigstore-protobuf-specs 0.5 spells its pydantic validators in a way that pydantic >= 2.12
    # deprecates. That is between those two: `-W error` must not stop a sandbox.
    warnings.simplefilter("ignore", DeprecationWarning)
    from sigstore_protobuf_specs.dev.sigstore.common.v1 import (
        DistinguishedName,
        HashAlgorithm,
        HashOutput,
        LogId,
        PublicKey,
        PublicKeyDetails,
        TimeRange,
        X509Certificate,
        X509CertificateChain,
    )
    from sigstore_protobuf_specs.dev.sigstore.rekor import v2 as rekor_v2
    from sigstore_protobuf_specs.dev.sigstore.rekor.v1 import (
        Checkpoint,
        InclusionPromise,
        InclusionProof,
        KindVersion,
        TransparencyLogEntry,
    )
    from sigstore_protobuf_specs.dev.sigstore.trustroot.v1 import (
        CertificateAuthority as AuthorityMessage,
    )
    from sigstore_protobuf_specs.dev.sigstore.trustroot.v1 import (
        ClientTrustConfig,
        Service,
        ServiceConfiguration,
        ServiceSelector,
        SigningConfig,
        TransparencyLogInstance,
        TrustedRoot,
    )

__all__ = [
    "AuthorityMessage",
    "Checkpoint",
    "ClientTrustConfig",
    "DistinguishedName",
    "HashAlgorithm",
    "HashOutput",
    "InclusionPromise",
    "InclusionProof",
    "KindVersion",
    "LogId",
    "PublicKey",
    "PublicKeyDetails",
    "Service",
    "ServiceConfiguration",
    "ServiceSelector",
    "SigningConfig",
    "TimeRange",
    "TransparencyLogEntry",
    "TransparencyLogInstance",
    "TrustedRoot",
    "X509Certificate",
    "X509CertificateChain",
    "rekor_v2",
]
