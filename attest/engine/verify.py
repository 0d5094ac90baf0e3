"""The engine: one bundle, one content and one trust root in, a `VerifiedAttestation` out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from attest.bundle import UntrustedBundle
from attest.claims import read_identity
from attest.engine.chain import VerifiedIssuer, attribute, load_leaf, verify_chain
from attest.engine.content import ArtifactContent, PackContent, check_content
from attest.engine.log import LoggedEntry, check_window, verify_entry
from attest.engine.logbody import Binding
from attest.engine.sct import verify_scts
from attest.engine.signature import (
    signed_content,
    verify_signature,
)
from attest.engine.timestamp import verify_timestamp
from attest.engine.trace import Trace
from attest.errors import Untrusted, VerificationFailed
from attest.keys import PublicKey
from attest.limits import DEFAULT_LIMITS, Limits
from attest.trust.root import Authority, TrustRoot
from attest.verified import VerifiedAttestation, VerifiedTime

STEP_TIMES = "2 times"
STEP_CHAIN = "3 chain"
STEP_SCT = "4 sct"
STEP_LOG = "5 log"
STEP_SIGNATURE = "6 signature"
STEP_CONTENT = "7 statement"


def verify_bundle(
    bundle: UntrustedBundle,
    content: PackContent | ArtifactContent,
    root: TrustRoot,
    trace: Trace,
    *,
    limits: Limits = DEFAULT_LIMITS,
) -> VerifiedAttestation:
    """Run steps 2 to 7 on a parsed bundle, wholly under one trust root.

    Args:
        bundle: a bundle as parsed (step 1).
        content: the pack or artifact that it must speak of.
        root: the trust root, with the profile of what must be proven.
        trace: receives every check.
        limits: bounds on the statement; the bundle was held to its own when it was parsed.

    Raises:
        Untrusted: issued or logged by nobody in the root, or signed by a key
            (`key_signed_bundle`); it counts for nothing.
        MalformedEvidence: a part breaks its format.
        VerificationFailed: a check failed; see each step for its codes, and
            `unsupported_key`, `not_enough_times`, `not_enough_log_entries` here.

    Source: design, section 6, steps 2 to 7.
    """
    # Whose certificate it is decides first: a stranger's evidence is not broken, it is a
    # stranger's, however its other parts look.
    with trace.step("3 issuer", rule="R-085") as step:
        if bundle.certificate is None:
            raise Untrusted(
                "key_signed_bundle",
                "signed with a public key, and only certificates are trusted here",
                where="verificationMaterial.publicKey",
            )
        leaf = load_leaf(bundle.certificate)
        authorities = attribute(leaf, root.authorities)
        step.detail = f"certificate {leaf.serial_number:x} of {authorities[0].uri}"
    digest_of = content.digest_of if isinstance(content, ArtifactContent) else _no_digest
    with trace.step(STEP_SIGNATURE, rule="R-088"):
        key = _public_key(leaf)
        signed = signed_content(bundle, key, digest_of)
        verify_signature(bundle, key, signed)
    binding = Binding(certificate=leaf, key=key, signature=bundle.signature, content=signed)
    logged = _log_entries(bundle, binding, root, trace)
    times = _times(bundle, logged, root, trace)
    _windows(logged, times, trace)
    issuer = _chain(leaf, authorities, times, trace)
    with trace.step(STEP_SCT) as step:
        count = verify_scts(leaf, issuer, root.ct_logs, minimum=root.profile.min_scts)
        step.detail = f"{count} CT logs"
    with trace.step(STEP_CONTENT):
        statement = check_content(bundle.content, content, limits=limits)
        signer = read_identity(leaf)
    return VerifiedAttestation(
        signer=signer,
        certificate_sha256=hashlib.sha256(bundle.certificate).digest(),
        statement=statement,
        times=times,
        log_entries=tuple(item.entry for item in logged),
        instance=root.instance,
    )


def _no_digest(_algorithm: str) -> None:
    return None


def _public_key(leaf: x509.Certificate) -> PublicKey:
    try:
        return PublicKey(leaf.public_key())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise VerificationFailed(
            "unsupported_key", f"the certificate's key: {error}", where="certificate"
        ) from None


def _log_entries(
    bundle: UntrustedBundle, binding: Binding, root: TrustRoot, trace: Trace
) -> tuple[LoggedEntry, ...]:
    logged: list[LoggedEntry] = []
    untrusted: Untrusted | None = None
    for entry in bundle.entries:
        try:
            with trace.step(STEP_LOG, rule="R-086") as step:
                item = verify_entry(entry, binding, root.logs)
                step.where = entry.where
                step.detail = item.entry.origin or "promise"
                logged.append(item)
        except Untrusted as error:
            untrusted = error
    if len({item.log.log_id for item in logged}) < root.profile.min_log_entries:
        if untrusted is not None:
            raise untrusted  # recorded above
        with trace.step(STEP_LOG):
            raise VerificationFailed(
                "not_enough_log_entries",
                f"{root.profile.min_log_entries} logs needed, {len(logged)} verified",
                where="tlogEntries",
                rule="R-086",
            )
    return tuple(logged)


def _times(
    bundle: UntrustedBundle, logged: Sequence[LoggedEntry], root: TrustRoot, trace: Trace
) -> tuple[VerifiedTime, ...]:
    times = [
        VerifiedTime(time=item.time, source="rekor", authority=item.log.host)
        for item in logged
        if item.time is not None
    ]
    untrusted: Untrusted | None = None
    for position, data in enumerate(bundle.timestamps):
        where = f"rfc3161Timestamps[{position}]"
        try:
            with trace.step(STEP_TIMES) as step:
                proven = verify_timestamp(
                    data, bundle.signature, root.timestamp_authorities, where=where
                )
                step.where, step.detail = where, f"{proven.time:%Y-%m-%dT%H:%M:%SZ}"
                times.append(proven)
        except Untrusted as error:
            untrusted = error
    if len({(item.source, item.authority) for item in times}) < root.profile.min_times:
        if untrusted is not None:
            raise untrusted  # recorded above
        with trace.step(STEP_TIMES):
            raise VerificationFailed(
                "not_enough_times",
                f"{root.profile.min_times} verified times needed, {len(times)} found",
                where="verificationMaterial",
                rule="step 2",
                hint="a signed entry timestamp or an RFC 3161 timestamp proves when it was signed",
            )
    return tuple(sorted(times, key=lambda item: item.time))


def _windows(logged: Sequence[LoggedEntry], times: Sequence[VerifiedTime], trace: Trace) -> None:
    with trace.step(STEP_LOG, rule="R-086") as step:
        for item in logged:
            check_window(item, times[0].time, where="tlogEntries")
        step.detail = "valid at that time"


def _chain(
    leaf: x509.Certificate,
    authorities: Sequence[Authority],
    times: Sequence[VerifiedTime],
    trace: Trace,
) -> VerifiedIssuer:
    moments: list[datetime] = [item.time for item in times]
    with trace.step(STEP_CHAIN, rule="R-085") as step:
        issuer = verify_chain(leaf, authorities, moments)
        step.detail = f"valid at {len(moments)} verified times"
    return issuer
