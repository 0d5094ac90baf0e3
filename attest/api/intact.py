"""A pack that is intact, as a step and as facts of a report; nobody's identity is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from attest.engine.trace import Trace
from attest.limits import Limits
from attest.report.model import Assurance, PackFacts, Report

if TYPE_CHECKING:  # what reads packs is loaded for packs alone, and no policy without one
    from attest.pack.integrity import Progress
    from attest.pack.reader import IntactPack, Pack
    from attest.policy.model import Policy

STEP_PACK = "0 pack"


def assurance_of(policy: Policy | None) -> Assurance:
    """What a verification under a policy can assure; without one only integrity."""
    if policy is None:
        return "integrity"
    return "any_identity" if policy.any_identity else "identity"


@contextmanager
def intact_pack(
    path: Path, trace: Trace, limits: Limits, progress: Progress | None
) -> Iterator[tuple[Pack, IntactPack]]:
    """Open a pack and check its integrity, as one step (R-078)."""
    from attest.pack.reader import open_pack

    with ExitStack() as stack:
        with trace.step(STEP_PACK, rule="R-078") as step:
            pack = stack.enter_context(open_pack(path, limits=limits))
            intact = pack.check_integrity(progress=progress)
            step.detail = f"{intact.artifacts} artifacts, {intact.bytes} bytes"
            if step.explains:
                step.compare("pack digest", intact.pack_digest, intact.manifest.pack_digest)
                step.compare("manifest digest", intact.manifest_digest)
        yield pack, intact


def with_pack(report: Report, intact: IntactPack) -> Report:
    """A report that tells of an intact pack."""
    digest = intact.manifest_digest.hex()
    facts = PackFacts(
        stream=intact.stream,
        pack_digest=intact.pack_digest,
        manifest_digest=digest,
        artifacts=intact.artifacts,
        bytes=intact.bytes,
    )
    # A pack is named by what its attestations sign: the digest of its manifest.
    target = replace(report.target, digest={"sha256": digest})
    return replace(report, pack=facts, target=target)
