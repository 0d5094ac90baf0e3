"""One `.sei` artefact judged: the five steps of its document, its envelope, then the policy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath

from attest.api.attestation import Judged, judged_as
from attest.api.judge import Judge, open_bundle
from attest.engine.trace import Trace
from attest.errors import MalformedEvidence, Untrusted, UsageError, VerificationFailed
from attest.files import read_file
from attest.formats.sei.artefact import check_bundle, parse_artefact
from attest.formats.sei.layout import check_place, keyless_path, kind_of, signature_path
from attest.formats.sei.signature import (
    DigestOf,
    UntrustedSignature,
    check_statement,
    digests_of,
    parse_signature,
    verify_signature,
)
from attest.formats.sei.walk import Found
from attest.limits import Limits
from attest.policy.qualify import Evidence
from attest.report.model import Report, Target, Warned
from attest.verified import VerifiedAttestation

STEP_READ = "1 read"
STEP_PARSE = "2 parse"
STEP_SIGNATURE = "3-5 signature"
#: Of what is signed by a key that is not at hand.
STEP_SUBJECT = "5 subject"
STEP_ARTEFACT = "6 artefact"
#: A `.sig` has no place for a time.
_EVIDENCE = Evidence(timeless=True)
#: What no `.sig` can meet, whoever signed.
_UNPROVABLE = frozenset({"log_required", "timestamp_required"})
_INTEGRITY = Warned(code="integrity_only", message="nobody's identity was checked")


@dataclass(frozen=True, kw_only=True, slots=True)
class ArtefactJudge:
    """What is the same for all artefacts of a repository; called with one, it judges it.

    Without a `judge` only integrity is checked. `reads_bundles` says whether Sigstore bundles are
    judged too, and `system` names the one that every artefact must belong to.
    """

    repository: Path
    judge: Judge | None
    reads_bundles: bool
    system: str | None
    limits: Limits
    explains: bool

    def __call__(self, found: Found) -> Report:
        """Judge one; whatever is wrong with it is in its report, so that the next has its turn.

        Raises:
            PolicyFileError: the policy decides nothing, of this artefact or any other.
        """
        report = self.begin(found)
        trace = Trace(explains=self.explains)
        try:
            if found.error is not None:
                raise found.error
            with trace.step(STEP_READ):
                data = self._read(found)
                digest_of = digests_of(data)
                digest = {"sha256": digest_of("sha256").hex()}
            report = replace(report, target=replace(report.target, digest=digest))
            if self.judge is None:
                return self._intact(report, found, data, digest_of, trace)
            return self._decided(self.judge, report, found, data, digest_of, trace)
        except (MalformedEvidence, VerificationFailed, UsageError) as error:
            return replace(report.failed(error), checks=trace.checks)

    def begin(self, found: Found) -> Report:
        """The report of one that nothing is known of yet."""
        if self.judge is not None:
            return self.judge.begin("artefact", str(found.path))
        return Report(
            result="pass",
            assurance="integrity",
            target=Target(kind="artefact", name=str(found.path), digest={}),
            warnings=(_INTEGRITY,),
        )

    def _read(self, found: Found) -> bytes:
        """The artefact, if it has a signature that can count here (step 1)."""
        if not (found.signed or (found.keyless and self.reads_bundles)):
            raise VerificationFailed(
                "unsigned_artefact",
                "no signature by a key lies beside it" if found.keyless else "is not signed",
                where=str(found.path),
                hint="only a Sigstore bundle does, which counts where a policy decides"
                if found.keyless
                else "it was never signed (`attest sei sign`), or its signature was removed",
            )
        limit = self.limits.max_artifact_bytes
        data = read_file(self.repository / found.path, limit=limit)
        if len(data) > limit:  # what was read of it has no digest that means anything
            raise MalformedEvidence(
                "artifact_too_large", f"is larger than {limit} bytes", where=str(found.path)
            )
        return data

    def _intact(
        self, report: Report, found: Found, data: bytes, digest_of: DigestOf, trace: Trace
    ) -> Report:
        """Whether it is what was signed, by whomever."""
        from attest.signing.sei_local import open_local_key

        with trace.step(STEP_PARSE):
            signature = self._signature(signature_path(found.path))
        try:
            with trace.step(STEP_SIGNATURE):
                development = open_local_key({}).public
                verify_signature(signature, digest_of, [development], limits=self.limits)
        except Untrusted:  # the step is told of as skipped
            with trace.step(STEP_SUBJECT):
                check_statement(signature, digest_of, limits=self.limits)
            warning = Warned(
                code="signature_not_checked",
                message=f"its signature was not checked: it names the key {signature.keyid}",
            )
        else:
            warning = Warned(
                code="development_key",
                message="signed with the development key, which everybody has: anybody can"
                " have written this",
            )
        warnings = self._check(found.path, data, trace)
        return replace(report, checks=trace.checks, warnings=(*report.warnings, warning, *warnings))

    def _decided(
        self,
        judge: Judge,
        report: Report,
        found: Found,
        data: bytes,
        digest_of: DigestOf,
        trace: Trace,
    ) -> Report:
        judged = list(self._attestations(judge, found, digest_of))
        warnings: tuple[Warned, ...] = ()
        if found.keyless and not self.reads_bundles:
            message = "the Sigstore bundle beside it was not read: keys alone were named"
            warnings = (Warned(code="bundle_not_read", message=message),)
        if all(item.failure is None or isinstance(item.failure, Untrusted) for item in judged):
            try:
                warnings += self._check(found.path, data, trace)
            except (MalformedEvidence, VerificationFailed) as error:
                results = tuple(item.result for item in judged)
                report = replace(report.failed(error), attestations=results, checks=trace.checks)
                return replace(report, warnings=(*report.warnings, *warnings))
        report = replace(report, warnings=(*report.warnings, *warnings))
        report = judge.decide(report, judged, trace, evidence=_EVIDENCE)
        if report.error is not None and report.error.code in _UNPROVABLE:
            report.error.hint = (
                "a .sig has neither log entry nor time: where keys alone are to do, the policy says"
                " `log: optional` and `timestamp: optional`"
            )
        return report

    def _attestations(self, judge: Judge, found: Found, digest_of: DigestOf) -> Iterator[Judged]:
        """Every signature that may count, judged."""
        if found.signed:
            yield self._by_key(judge, signature_path(found.path), digest_of)
        if found.keyless and self.reads_bundles:
            yield from self._keyless(judge, keyless_path(found.path), digest_of)

    def _by_key(self, judge: Judge, path: PurePosixPath, digest_of: DigestOf) -> Judged:
        trace = Trace(explains=self.explains)
        verified: VerifiedAttestation | None = None
        failure: MalformedEvidence | VerificationFailed | None = None
        try:
            with trace.step(STEP_PARSE):
                signature = self._signature(path)
            with trace.step(STEP_SIGNATURE) as step:
                step.detail = f"keyid {signature.keyid}"  # reports name keys by their SPKI
                if step.explains:
                    step.compare("SHA-256 of the artefact", digest_of("sha256"))
                verified = verify_signature(
                    signature, digest_of, judge.policy.rules.keys, limits=self.limits
                )
        except (MalformedEvidence, VerificationFailed) as error:
            failure = error
        return judged_as(str(path), "key", trace.checks, verified, failure)

    def _signature(self, path: PurePosixPath) -> UntrustedSignature:
        data = read_file(self.repository / path, limit=self.limits.max_bundle_bytes)
        return parse_signature(data, str(path), limits=self.limits)

    def _keyless(self, judge: Judge, path: PurePosixPath, digest_of: DigestOf) -> Iterator[Judged]:
        from attest.api.bundles import read_bundles
        from attest.engine.content import ArtifactContent

        file = self.repository / path
        try:
            bundles = read_bundles(file, self.limits)
        except MalformedEvidence as error:
            yield judged_as(str(path), None, (), None, error)
            return
        for bundle in bundles:
            item = replace(bundle, name=f"{path}{bundle.name.removeprefix(str(file))}")
            yield judge.examine(
                item.name,
                partial(open_bundle, item, self.limits),
                ArtifactContent(digest_of=digest_of),
            )

    def _check(self, path: PurePosixPath, data: bytes, trace: Trace) -> tuple[Warned, ...]:
        """Step 6: it is an artefact, of the kind and standard of its path, and of the system."""
        with trace.step(STEP_ARTEFACT) as step:
            if kind_of(path) == "bundle":
                check_bundle(data, str(path), limits=self.limits)
                if self.system is None:
                    return ()
                message = "bundle.json has no envelope that names a system: it was not checked"
                return (Warned(code="system_not_stated", message=message),)
            artefact = parse_artefact(data, str(path), limits=self.limits)
            if step.explains:
                step.compare("kind", artefact.kind, kind_of(path))
                step.compare("system", artefact.system, self.system)
            check_place(artefact, path)
            if self.system not in (None, artefact.system):
                raise VerificationFailed(
                    "system_mismatch",
                    f"is of the system {artefact.system!r}, not of {self.system!r}",
                    where=str(path),
                    hint="it was signed for another system, or --system names the wrong one",
                )
            return ()
