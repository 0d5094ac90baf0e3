"""What the tests of log entries share: bundles with one thing changed, and the verdicts on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from attest.errors import AttestError, MalformedEvidence, VerificationFailed
from attest.trust.root import TrustRoot
from tests.engine.virtual_evidence import (
    V1_DSSE,
    V1_MESSAGE,
    V2_DSSE,
    V2_MESSAGE,
    Evidence,
    entry_of,
    verify,
)
from tests.engine.virtual_instance import ROOT, Json

Edit = Callable[[Json], object]
Verdict = tuple[type[AttestError], str]
ENTRY = (VerificationFailed, "invalid_tlog_entry")
MALFORMED_ENTRY = (MalformedEvidence, "invalid_tlog_entry")
PROOF = (VerificationFailed, "invalid_inclusion_proof")
CHECKPOINT = (VerificationFailed, "invalid_checkpoint")
MALFORMED_CHECKPOINT = (MalformedEvidence, "invalid_checkpoint")
SET = (VerificationFailed, "invalid_set")
UNSUPPORTED = (VerificationFailed, "unsupported_log_entry")
BUNDLE = (MalformedEvidence, "malformed_bundle")

KINDS = {
    "v1 dsse": V1_DSSE,
    "v1 message": V1_MESSAGE,
    "v2 dsse": V2_DSSE,
    "v2 message": V2_MESSAGE,
}


def verdict(data: bytes, root: TrustRoot = ROOT) -> Verdict:
    with pytest.raises(AttestError) as caught:
        verify(data, root=root)
    return type(caught.value), caught.value.code


def edited(evidence: Evidence, edit: Edit) -> bytes:
    """The bundle with its finished log entry changed."""
    return replace(evidence, bundle=lambda bundle: edit(entry_of(bundle))).build()


def set_at(document: Json, path: Sequence[str | int], value: object) -> None:
    *parents, last = path
    place: Any = document
    for step in parents:
        place = place[step]
    place[last] = value
