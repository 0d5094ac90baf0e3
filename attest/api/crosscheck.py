"""`sigstore`'s verifier asked about what ours accepted: one that errs alone is found out."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from attest.api.attestation import Accepted
from attest.bundle import UntrustedLogEntry
from attest.dsse import UntrustedEnvelope
from attest.engine.content import ArtifactContent
from attest.errors import UsageError
from attest.report.model import Report
from attest.verified import Check

if TYPE_CHECKING:
    from sigstore.verify import Verifier

STEP_CROSS_CHECK = "10 cross-check"


def cross_checked(report: Report, accepted: Sequence[Accepted]) -> Report:
    """Ask `sigstore` about every attestation that was accepted, if ours says pass.

    What ours rejects needs no second opinion: nothing is done with it.

    Args:
        report: ours.
        accepted: all that verified, those of a merged pack's sources included; `sigstore` gets the
            roots that it was verified under.

    Returns:
        The report with the step; failed with `cross_check_disagrees`, which has no verdict, or
        with `cross_check_unsupported`.
    """
    if report.error is not None:
        return report
    try:
        for item in accepted:
            _require_agreement(item)
    except UsageError as error:
        check = Check(
            check=STEP_CROSS_CHECK,
            status="fail",
            code=error.code,
            where=error.where,
            detail=error.message,
        )
        return replace(report, checks=(*report.checks, check)).failed(error)
    detail = f"sigstore accepts {len(accepted)} attestations too"
    check = Check(check=STEP_CROSS_CHECK, status="pass", detail=detail)
    return replace(report, checks=(*report.checks, check))


def _require_agreement(item: Accepted) -> None:
    reason = _unsupported(item)
    if reason is not None:
        raise _unsupported_error(reason, item.file)
    try:
        verifier = _verifier(item.root.document)
    # Errors of its own, of its models and of the libraries below have no common base.
    except Exception as error:  # noqa: BLE001
        raise _unsupported_error(f"it cannot use this trusted root: {error}", item.file) from None
    objection = _objection(item, verifier)
    if objection is not None:
        raise UsageError(
            "cross_check_disagrees",
            f"attest accepts it, sigstore does not: {objection}",
            where=item.file,
            hint="one of them is wrong, or it is a listed difference (docs/differences.md):"
            " do not rely on it before you know which",
        )


def _unsupported_error(reason: str, where: str) -> UsageError:
    return UsageError(
        "cross_check_unsupported",
        f"sigstore cannot be asked: {reason}",
        where=where,
        hint="leave --cross-check out to have the verdict of attest alone",
    )


def _unsupported(item: Accepted) -> str | None:
    """Why `sigstore` has no verifier for this kind, if it has none."""
    bundle, identity = item.bundle, item.verified.identity
    if bundle.certificate is None or identity is None:
        return "it verifies no signatures by keys"
    key = x509.load_der_x509_certificate(bundle.certificate).public_key()
    if not (isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1"):
        return "it verifies signatures on the curve P-256 alone"
    if identity.kind == "username":
        return "it knows no user names"
    return _unsupported_entries(bundle.entries)


def _unsupported_entries(entries: Sequence[UntrustedLogEntry]) -> str | None:
    if len(entries) != 1:
        return f"it reads bundles with one log entry, not {len(entries)}"
    if entries[0].kind == "intoto":
        return "it reads no log entries of kind intoto"
    return None if entries[0].proof else "it wants an inclusion proof"


@lru_cache(maxsize=4)
def _verifier(document: bytes) -> Verifier:
    from sigstore.models import TrustedRoot
    from sigstore.verify import Verifier

    # What it warns of is in its verdict, or nobody's business.
    logging.getLogger("sigstore").addHandler(logging.NullHandler())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trusted_root.json")
        path.write_bytes(document)
        return Verifier(trusted_root=TrustedRoot.from_file(str(path)))


def _objection(item: Accepted, verifier: Verifier) -> str | None:
    """Why `sigstore` does not accept what ours did, signed by whom ours found; None if it does."""
    from sigstore.hashes import Hashed
    from sigstore.models import Bundle
    from sigstore.verify import policy
    from sigstore_models.common.v1 import HashAlgorithm

    identity = item.verified.identity
    if identity is None:
        raise ValueError("signed by a key")
    signer = policy.Identity(identity=identity.subject, issuer=identity.issuer)
    source = item.source if isinstance(item.source, bytes) else json.dumps(item.source).encode()
    content = item.bundle.content
    try:
        bundle = Bundle.from_json(source)
        if isinstance(content, UntrustedEnvelope):
            payload_type, payload = verifier.verify_dsse(bundle, signer)
            if (payload_type, payload) != (content.payload_type, content.payload):
                return "it reads another payload"
        elif isinstance(item.content, ArtifactContent):
            digest = item.content.digest_of("sha256") or b""
            hashed = Hashed(algorithm=HashAlgorithm.SHA2_256, digest=digest)
            verifier.verify_artifact(hashed, bundle, signer)
    except Exception as error:  # noqa: BLE001 - as above
        return f"{type(error).__name__}: {error}"
    return None
