"""What the steps compare, put into words: only for those who asked why."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from cryptography import x509

from attest.bundle import UntrustedBundle, UntrustedLogEntry, UntrustedMessageSignature
from attest.dsse import UntrustedEnvelope
from attest.engine.content import ArtifactContent, PackContent
from attest.engine.trace import Step
from attest.keys import PublicKey
from attest.trust.root import Authority, Log, Validity


def explain_issuer(step: Step, leaf: x509.Certificate, authorities: Sequence[Authority]) -> None:
    """Step 3: by whom the certificate says it was issued, and who is trusted."""
    known = [item.certificates[0].subject.rfc4514_string() for item in authorities]
    step.compare("certificate's issuer", leaf.issuer.rfc4514_string(), " or ".join(known))
    step.compare("serial number", f"{leaf.serial_number:x}")


def explain_signature(step: Step, bundle: UntrustedBundle, key: PublicKey) -> None:
    """Step 6: the key, what it should have signed, and the signature."""
    step.compare("key", f"{' or '.join(sorted(key.details))} {key.key_id.hex()}")
    if isinstance(bundle.content, UntrustedEnvelope):
        digest = hashlib.sha256(bundle.content.signed_bytes()).hexdigest()
        step.compare("signed bytes", f"{bundle.content.payload_type}, PAE sha256:{digest}")
    elif bundle.content.digest is not None:
        claimed = f"{bundle.content.algorithm}:{bundle.content.digest.hex()}"
        step.compare("digest in the bundle", claimed)
    step.compare("signature", bundle.signature)


def explain_entry(step: Step, entry: UntrustedLogEntry, logs: Sequence[Log]) -> None:
    """Step 5: the entry, its log, and the tree that it should be in."""
    step.compare("entry", f"{entry.kind} {entry.version}, index {entry.index}")
    step.compare("log id", entry.log_id, " or ".join(sorted({log.log_id.hex() for log in logs})))
    step.compare("leaf hash", hashlib.sha256(b"\0" + entry.body).digest())
    if entry.proof is None:
        step.compare("inclusion", "promised, not proven")
        return
    step.compare("root hash", entry.proof.root_hash)
    step.compare("place in the tree", f"{entry.proof.index} of {entry.proof.tree_size}")
    if entry.proof.checkpoint is not None:
        text = entry.proof.checkpoint.partition("\n\n")[0]
        step.compare("checkpoint", " / ".join(text.splitlines()))


def explain_timestamp(step: Step, signature: bytes, authorities: Sequence[Authority]) -> None:
    """Step 2: what the timestamp must cover, and who may have made it."""
    step.compare("signature", f"sha256:{hashlib.sha256(signature).hexdigest()}")
    known = [item.certificates[0].subject.rfc4514_string() for item in authorities]
    step.compare("authorities", " or ".join(known))


def explain_windows(step: Step, logs: Sequence[Log], time: datetime) -> None:
    """Step 5: whether the log's key was in use."""
    windows = " or ".join(_window(log.valid) for log in logs)
    step.compare(f"time for {logs[0].host}", _utc(time), windows)


def explain_chain(
    step: Step,
    leaf: x509.Certificate,
    authorities: Sequence[Authority],
    times: Sequence[datetime],
) -> None:
    """Step 3: when the certificate was used, and when it and its authority were valid."""
    lifetime = f"{_utc(leaf.not_valid_before_utc)} to {_utc(leaf.not_valid_after_utc)}"
    for time in times:
        step.compare("verified time", _utc(time), lifetime)
    for authority in authorities:
        step.compare(f"authority {authority.uri}", _window(authority.valid))


def explain_content(
    step: Step,
    signed: UntrustedEnvelope | UntrustedMessageSignature,
    content: PackContent | ArtifactContent,
) -> None:
    """Step 7: the digest that the statement must have."""
    if isinstance(content, PackContent):
        step.compare("digest of the manifest here", content.manifest_digest)
    elif (digest := content.digest_of("sha256")) is not None:
        step.compare("digest of the artifact here", f"sha256:{digest.hex()}")
    if isinstance(signed, UntrustedEnvelope):
        step.compare("payload", f"{signed.payload_type}, {len(signed.payload)} bytes")
        step.compare("statement", signed.payload.decode("utf-8", "backslashreplace"))


def _window(valid: Validity) -> str:
    return f"{_utc(valid.start)} to {'now' if valid.end is None else _utc(valid.end)}"


def _utc(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
