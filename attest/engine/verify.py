"""The engine: one bundle, one content and one trust root in, a `VerifiedAttestation` out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from attest.bundle import UntrustedBundle
from attest.claims import CertificateFacts, read_identity
from attest.engine.chain import VerifiedIssuer, attribute, load_leaf, verify_chain
from attest.engine.content import ArtifactContent, PackContent, check_content
from attest.engine.explain import (
    explain_chain,
    explain_content,
    explain_issuer,
    explain_signature,
)
from attest.engine.givenkey import attribute_key
from attest.engine.logbody import Binding
from attest.engine.proofs import Needed, verify_proofs
from attest.engine.sct import verify_scts
from attest.engine.signature import (
    DigestOf,
    SignedContent,
    signed_content,
    verify_signature,
)
from attest.engine.trace import Trace
from attest.errors import VerificationFailed
from attest.keys import PublicKey
from attest.limits import DEFAULT_LIMITS, Limits
from attest.trust.instance import InstanceProfile
from attest.trust.root import Authority, TrustRoot
from attest.verified import KeyIdentity, VerifiedAttestation, VerifiedTime

STEP_ISSUER = "3 issuer"
STEP_KEY = "3 key"
STEP_CHAIN = "3 chain"
STEP_SCT = "4 sct"
STEP_SIGNATURE = "6 signature"
STEP_CONTENT = "7 statement"


def verify_bundle(
    bundle: UntrustedBundle,
    content: PackContent | ArtifactContent,
    root: TrustRoot,
    trace: Trace,
    *,
    keys: Sequence[PublicKey] = (),
    key_log: bool = True,
    key_time: bool = True,
    limits: Limits = DEFAULT_LIMITS,
) -> VerifiedAttestation:
    """Run steps 2 to 7 on a parsed bundle, wholly under one trust root.

    Args:
        bundle: a bundle as parsed (step 1).
        content: the pack or artifact that it must speak of.
        root: the trust root, with the profile of what must be proven.
        trace: receives every check.
        keys: the keys whose signatures count where a bundle has no certificate.
        key_log: whether those signatures must be logged; an entry that is there must verify.
        key_time: whether a verified time must be proven of them; likewise.
        limits: bounds on the statement; the bundle was held to its own when it was parsed.

    Raises:
        Untrusted: issued or logged by nobody in the root, or signed by a key that was not given
            (`untrusted_key`); it counts for nothing.
        MalformedEvidence: a part breaks its format.
        VerificationFailed: a check failed; see each step for its codes, and
            `unsupported_key` here.

    Source: design, section 6, steps 2 to 7.
    """
    if bundle.certificate is None:
        needed = _of_keys(root.profile, log=key_log, time=key_time)
        return _by_key(bundle, content, keys, root, needed, trace, limits)
    return _by_certificate(bundle, bundle.certificate, content, root, trace, limits)


def _by_certificate(
    bundle: UntrustedBundle,
    certificate: bytes,
    content: PackContent | ArtifactContent,
    root: TrustRoot,
    trace: Trace,
    limits: Limits,
) -> VerifiedAttestation:
    # Whose signature it is decides first: a stranger's evidence is not broken, it is a
    # stranger's, however its other parts look.
    with trace.step(STEP_ISSUER, rule="R-085") as step:
        leaf = load_leaf(certificate)
        if step.explains:
            explain_issuer(step, leaf, root.authorities)
        authorities = attribute(leaf, root.authorities)
        step.detail = f"certificate {leaf.serial_number:x} of {authorities[0].uri}"
    with trace.step(STEP_SIGNATURE, rule="R-088") as step:
        key = _public_key(leaf)
        if step.explains:
            explain_signature(step, bundle, key)
        signed = _signed(bundle, key, content)
    binding = Binding(certificate=leaf, key=key, signature=bundle.signature, content=signed)
    proofs = verify_proofs(bundle, binding, root, _of_certificates(root.profile), trace)
    issuer = _chain(leaf, authorities, proofs.times, trace)
    with trace.step(STEP_SCT, rule="step 4") as step:
        if step.explains:
            step.compare("known CT logs", [log.log_id.hex() for log in root.ct_logs])
        count = verify_scts(leaf, issuer, root.ct_logs, minimum=root.profile.min_scts)
        step.detail = f"{count} CT logs"
    with trace.step(STEP_CONTENT, rule="step 7") as step:
        if step.explains:
            explain_content(step, bundle.content, content)
        statement = check_content(bundle.content, content, limits=limits)
        signer = read_identity(leaf)
    return VerifiedAttestation(
        signer=signer,
        certificate=CertificateFacts(der=certificate),
        statement=statement,
        times=proofs.times,
        log_entries=proofs.log_entries,
        instance=root.instance,
    )


def _by_key(
    bundle: UntrustedBundle,
    content: PackContent | ArtifactContent,
    keys: Sequence[PublicKey],
    root: TrustRoot,
    needed: Needed,
    trace: Trace,
    limits: Limits,
) -> VerifiedAttestation:
    """As `_by_certificate` without steps 3 and 4, which ask who vouches for a key."""
    with trace.step(STEP_KEY, rule="R-085") as step:
        key = attribute_key(bundle, keys, _digest_of(content))
        step.detail = f"key {key.key_id.hex()}"
    with trace.step(STEP_SIGNATURE, rule="R-088") as step:
        if step.explains:
            explain_signature(step, bundle, key)
        signed = _signed(bundle, key, content)
    binding = Binding(certificate=None, key=key, signature=bundle.signature, content=signed)
    proofs = verify_proofs(bundle, binding, root, needed, trace)
    with trace.step(STEP_CONTENT, rule="step 7") as step:
        if step.explains:
            explain_content(step, bundle.content, content)
        statement = check_content(bundle.content, content, limits=limits)
    return VerifiedAttestation(
        signer=KeyIdentity(key_id=key.key_id.hex()),
        certificate=None,
        statement=statement,
        times=proofs.times,
        log_entries=proofs.log_entries,
        instance=root.instance,
    )


def _of_certificates(profile: InstanceProfile) -> Needed:
    return Needed(
        log_entries=profile.min_log_entries,
        times=profile.min_times,
        timestamps=profile.min_timestamps,
    )


def _of_keys(profile: InstanceProfile, *, log: bool, time: bool) -> Needed:
    """What a signature by a key must prove: logged, whatever certificates need, unless excused."""
    return Needed(
        log_entries=max(1, profile.min_log_entries) if log else 0,
        times=profile.min_times if time else 0,
        timestamps=profile.min_timestamps if time else 0,
    )


def _signed(
    bundle: UntrustedBundle, key: PublicKey, content: PackContent | ArtifactContent
) -> SignedContent:
    signed = signed_content(bundle, key, _digest_of(content))
    verify_signature(bundle, key, signed)
    return signed


def _digest_of(content: PackContent | ArtifactContent) -> DigestOf:
    return content.digest_of if isinstance(content, ArtifactContent) else _no_digest


def _no_digest(_algorithm: str) -> None:
    return None


def _public_key(leaf: x509.Certificate) -> PublicKey:
    try:
        return PublicKey(leaf.public_key())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise VerificationFailed(
            "unsupported_key", f"the certificate's key: {error}", where="certificate"
        ) from None


def _chain(
    leaf: x509.Certificate,
    authorities: Sequence[Authority],
    times: Sequence[VerifiedTime],
    trace: Trace,
) -> VerifiedIssuer:
    moments: list[datetime] = [item.time for item in times]
    with trace.step(STEP_CHAIN, rule="R-085") as step:
        if step.explains:
            explain_chain(step, leaf, authorities, moments)
        issuer = verify_chain(leaf, authorities, moments)
        step.detail = f"valid at {len(moments)} verified times"
    return issuer
