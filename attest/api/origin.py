"""What an explanation says beside the engine's steps: the bundle, its origin, the decision."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from attest.errors import AttestError
from attest.policy.decision import Decision
from attest.verified import KeyIdentity, VerifiedAttestation

if TYPE_CHECKING:  # without a policy there is no signature to check, and nothing of this is loaded
    from attest.bundle import UntrustedBundle
    from attest.engine.trace import Step
    from attest.trust.root import TrustRoot


def hint_of_origin(bundle: UntrustedBundle, roots: Iterable[TrustRoot]) -> str | None:
    """What to do about evidence of another instance, if one of the given roots knows it.

    Args:
        bundle: issued or logged by nobody in the root that decides.
        roots: of the other instances that this program knows.
    """
    for root in roots:
        if _recognises(root, bundle):
            return f"it comes from another instance; if you trust that: --instance {root.instance}"
    return None


def _recognises(root: TrustRoot, bundle: UntrustedBundle) -> bool:
    """Whether a root lists who issued the certificate, or the log where a key signed."""
    from attest.engine.chain import attribute, load_leaf

    if bundle.certificate is None:
        logs = {log.log_id for log in root.logs}
        return any(entry.log_id in logs for entry in bundle.entries)
    try:
        attribute(load_leaf(bundle.certificate), root.authorities)
    except AttestError:
        return False
    return True


def explain_bundle(step: Step, bundle: UntrustedBundle) -> None:
    """Step 1: what the bundle is made of."""
    step.compare("bundle version", bundle.version)
    step.compare("signed by", "a key" if bundle.certificate is None else "a certificate's key")
    step.compare("log entries", len(bundle.entries))
    step.compare("RFC 3161 timestamps", len(bundle.timestamps))


def explain_decision(
    step: Step, decision: Decision, verified: Sequence[VerifiedAttestation]
) -> None:
    """Step 8: who signed, and who must have."""
    for item in verified:
        signer = item.signer
        if isinstance(signer, KeyIdentity):
            step.compare("signed by key", signer.key_id)
        else:
            step.compare("signed by", f"{signer.subject} (issuer {signer.issuer})")
    for requirement in decision.requirements:
        step.compare("required", requirement.require)
