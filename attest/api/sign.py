"""Sign packs, files and digests: checked first, signed, verified, and only then written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from attest.api import earlier, pending
from attest.api.earlier import Identity
from attest.api.key_signers import UsedKey, open_key_signers
from attest.api.ready_statement import Predicate, ReadyStatement, read_statement, state
from attest.api.sign_file import FileTask, ReadTarget, bundle_for
from attest.api.signed import Signed
from attest.api.signers import Signers, open_keyless
from attest.api.target import NamedTarget, name_target
from attest.api.trusted import Trusted
from attest.api.turns import Turns
from attest.engine.content import ArtifactContent, PackContent
from attest.errors import AttestError, SigningError, UsageError
from attest.limits import DEFAULT_LIMITS, Limits
from attest.oidc import IdentityToken
from attest.signing.identity import TokenSource
from attest.signing.instance import SigningInstance
from attest.signing.work import Content, SignedWork
from attest.trust.root import TrustRoot
from attest.verified import VerifiedAttestation

if TYPE_CHECKING:  # who signs files with an identity needs none of it
    from attest.api.sign_pack import PackTask
    from attest.pack.integrity import Progress
    from attest.signing.keyed import SigningKey

__all__ = [
    "Options",
    "Predicate",
    "Session",
    "Signed",
    "open_key_session",
    "open_session",
    "sign",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """How to sign; the same for many targets.

    `statement` is an in-toto statement that names the targets among its subjects, `predicate`
    what to say of them instead. `replace` signs again where this identity has signed already,
    `dry_run` checks everything that can be checked without signing. `keep` keeps a signature that
    waits for its log as `TARGET.pending.json`, and `resume` completes those that are kept.
    """

    statement: str | os.PathLike[str] | None = None
    predicate: Predicate | None = None
    replace: bool = False
    dry_run: bool = False
    keep: bool = False
    resume: bool = False


def sign(
    target: str | os.PathLike[str],
    *,
    token: IdentityToken | None = None,
    key: SigningKey | None = None,
    instance: SigningInstance,
    bundle: str | os.PathLike[str] | None = None,
    statement: str | os.PathLike[str] | None = None,
    replace: bool = False,
    dry_run: bool = False,
    log: bool = True,
    timestamp: bool = True,
    limits: Limits | None = None,
) -> Signed:
    """Sign one target, by an identity or a key; see `Session.sign`, which signs many at once.

    Args:
        target: a pack, any other file, or `sha256:HEX` with a bundle.
        token: whose identity signs.
        key: signs instead; see `open_key`.
        instance: which Sigstore instance certifies and logs it.
        bundle: the bundle file to write for a file or digest.
        statement: an in-toto statement of which the file or digest is a subject; it is signed.
        replace: sign again where this identity has signed already.
        dry_run: check everything that can be checked without signing.
        log: whether what a key signs is logged; verifiers demand it unless their policy says
            otherwise.
        timestamp: likewise.
        limits: bounds on what is read.

    Raises:
        MalformedEvidence, VerificationFailed: the pack is invalid; it is never signed.
        UsageError, SigningError, NetworkError, TrustError: nothing was signed or written.
    """
    options = Options(statement=statement, replace=replace, dry_run=dry_run)
    if key is not None and token is None:
        opened = open_key_session(
            key=key, instance=instance, log=log, timestamp=timestamp, limits=limits
        )
    elif token is not None and key is None and log and timestamp:
        opened = open_session(token=token, instance=instance, limits=limits)
    else:
        raise UsageError(
            "invalid_usage",
            "an identity signs or a key; what an identity signs is logged and timestamped",
            hint="give `token` or `key`",
        )
    with opened as session:
        return session.sign(target, bundle=bundle, options=options)


@contextmanager
def open_session(
    *,
    token: IdentityToken | TokenSource,
    instance: SigningInstance,
    limits: Limits | None = None,
) -> Iterator[Session]:
    """Sign many targets under one identity; the certificate is requested when first needed.

    Args:
        token: whose identity signs; a source of tokens gives new certificates when one ends.
        instance: which Sigstore instance certifies and logs it.
        limits: bounds on what is read.
    """
    source = token if isinstance(token, TokenSource) else TokenSource.of(token)
    with open_keyless(source, instance) as signers:
        yield Session(signers=signers, instance=instance, limits=limits or DEFAULT_LIMITS)


@contextmanager
def open_key_session(
    *,
    key: SigningKey,
    instance: SigningInstance,
    log: bool = True,
    timestamp: bool = True,
    limits: Limits | None = None,
) -> Iterator[Session]:
    """Sign many targets with one key.

    Args:
        key: signs; see `attest.api.key.open_key`.
        instance: whose timestamp authorities and logs are used.
        log: whether signatures are logged; verifiers demand it unless their policy says otherwise.
        timestamp: whether they are timestamped.
        limits: bounds on what is read.

    Raises:
        UsageError: `time_needed` where a log proves no time and timestamps are left out.
        TrustError: `trust_config_invalid` where the instance lacks a service.
    """
    # A log without timestamps is one that proves the time itself.
    used = UsedKey(public=key.public, log=log, time=log or timestamp)
    with open_key_signers(key, instance, log=log, timestamp=timestamp) as signers:
        yield Session(signers=signers, instance=instance, limits=limits or DEFAULT_LIMITS, key=used)


class _Task(Protocol):
    """A target that was read: what is signed of it, what stands there already, what is written."""

    @property
    def content(self) -> Content:
        """What is signed."""

    @property
    def contents(self) -> Sequence[PackContent | ArtifactContent]:
        """What the signature must speak of."""

    @property
    def message(self) -> Callable[[], bytes] | None:
        """Reads what is signed, for a key that takes no digests."""

    @property
    def pending(self) -> Path:
        """Where a signature is kept that waits for its log."""

    def earlier(self, who: Identity) -> Signed | None:
        """What stands there of this identity and is to stay."""

    def require_writable(self) -> None:
        """Refuse before anything is logged what could not be written afterwards."""

    def write(self, data: bytes, made: VerifiedAttestation) -> Signed:
        """Write a verified bundle."""

    def dry(self) -> Signed:
        """What becomes of it on a dry run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """Signs any number of targets, in any number of threads; made by `open_session`."""

    signers: Signers
    instance: SigningInstance
    limits: Limits
    key: UsedKey | None = None
    _turns: Turns = field(default_factory=Turns, repr=False)

    def sign(
        self,
        *targets: str | os.PathLike[str],
        bundle: str | os.PathLike[str] | None = None,
        options: Options | None = None,
        progress: Progress | None = None,
    ) -> Signed:
        """Sign one target, or one statement that speaks of several.

        A pack gets the attestation inside, atomically; of any other file the bundle is written
        beside it, or where `bundle` says.

        Args:
            targets: one as for `sign`; files and digests together need a bundle and a statement.
            bundle: as for `sign`.
            options: how to sign.
            progress: told bytes done and bytes in all while the artifacts of a pack are read.

        Raises:
            MalformedEvidence: the pack or one of its attestations breaks its format.
            VerificationFailed: an attestation of the pack does not verify; `pack_changed`.
            UsageError: `bundle_exists`, `bundle_needed`, `bundle_with_pack`,
                `invalid_statement`, `invalid_usage`, `looks_like_envelope`,
                `unsupported_digest`, and files that cannot be read or written.
            SigningError: `signature_pending`, `signed_bundle_invalid`, `target_changed`,
                `pack_busy`, `malformed_pending`, `pending_mismatch`, `pending_invalid`, and the
                codes of `open_keyless_signer` and `Signer`.
            NetworkError: `network_unreachable`.
        """
        options = options or Options()
        if (lost := self.signers.lost) is not None and not options.resume:
            raise lost
        named = [name_target(target) for target in targets]
        out = None if bundle is None else Path(bundle)
        # The same target twice in one call is signed once, and found signed the second time.
        with self._turns.of(str(out) if out is not None else named[0].name):
            task = self._task(named, out, options, progress)
            if options.resume and os.path.lexists(task.pending):
                return self._resume(task)
            return self._sign(task, options)

    @property
    def root(self) -> TrustRoot:
        """What the instance trusts, under which everything is verified before it is written."""
        return self.instance.root

    @property
    def trusted(self) -> Trusted:
        """What counts as evidence: the root and, where one signs, the key."""
        if self.key is None:
            return Trusted(root=self.root)
        return Trusted(
            root=self.root,
            keys=(self.key.public,),
            key_log=self.key.log,
            key_time=self.key.time,
        )

    def _task(
        self,
        named: Sequence[NamedTarget],
        out: Path | None,
        options: Options,
        progress: Progress | None,
    ) -> _Task:
        stated = options.statement is not None or options.predicate is not None
        if any(item.kind == "pack" for item in named):
            return self._pack(named, out, options, progress, stated=stated)
        if len(named) > 1 and not (stated and out is not None):
            raise UsageError(
                "invalid_usage",
                "several targets share a signature only in a statement about all of them",
                hint="give --predicate with --predicate-type, and --bundle; or sign each alone",
            )
        bundle, kept = bundle_for(named[0], out)
        algorithm = "sha256" if stated or self.key is None else self.key.algorithm
        if options.resume and self.key is None:
            algorithm = pending.algorithm_of(kept, algorithm, self.limits)
        targets = [ReadTarget.read(item, algorithm) for item in named]
        return FileTask(
            targets=targets,
            out=bundle,
            pending=kept,
            statement=self._statement(targets, options),
            trusted=self.trusted,
            limits=self.limits,
            replace=options.replace,
        )

    def _pack(
        self,
        named: Sequence[NamedTarget],
        out: Path | None,
        options: Options,
        progress: Progress | None,
        *,
        stated: bool,
    ) -> PackTask:
        from attest.api.sign_pack import PackTask

        if stated or len(named) > 1:
            raise UsageError("invalid_usage", "a pack is signed with the statement of packs")
        if out is not None:
            raise UsageError(
                "bundle_with_pack",
                "a pack carries its attestations inside",
                where=str(out),
                hint="leave --bundle out",
            )
        if self.key is not None and not self.key.log:
            raise UsageError(
                "log_needed",
                "attestations in a pack are logged, whoever signs",
                where=named[0].name,
                rule="R-075",
                hint="leave out --no-log, or sign the pack as a file under another name",
            )
        return PackTask.read(
            named[0].name,
            trusted=self.trusted,
            limits=self.limits,
            replace=options.replace,
            progress=progress,
        )

    def _statement(self, targets: Sequence[ReadTarget], options: Options) -> ReadyStatement | None:
        contents = [target.content for target in targets]
        if options.statement is not None:
            return read_statement(options.statement, contents, self.limits)
        if options.predicate is None:
            return None
        subjects = [(_subject_name(target.named), target.digest) for target in targets]
        return state(options.predicate, subjects, contents, self.limits)

    def _sign(self, task: _Task, options: Options) -> Signed:
        if kept := task.earlier(self.signers.expected()):
            return kept
        task.require_writable()
        if options.dry_run:
            return task.dry()
        signer = self.signers.current()
        work = signer.prepare(task.content, message=task.message)
        try:
            data = signer.complete(work)
        except AttestError as error:
            if not (options.keep and pending.may_wait(error, work)):
                raise
            raise pending.keep(task.pending, work, error) from None
        return task.write(data, self._confirmed(data, work, task))

    def _resume(self, task: _Task) -> Signed:
        """Complete a kept signature of this very target; see design, section 8."""
        where = task.pending
        work = pending.read(where, self.limits)
        if work.content != task.content:
            raise SigningError(
                "pending_mismatch",
                "the kept signature is not of this target as it is now",
                where=str(where),
                hint="if the target was changed on purpose, sign it again without --resume",
            )
        if self.key is not None:
            pending.require_by(self.key.public, work, where=where)
        claim = pending.check(work, task.contents, self.root, self.limits, where=where)
        signed = task.earlier(Identity.of(claim))
        if signed is None:
            task.require_writable()
            data = self._logged(work, where)
            signed = replace(task.write(data, self._confirmed(data, work, task)), resumed=True)
        pending.forget(where)
        return signed

    def _logged(self, work: SignedWork, where: Path) -> bytes:
        from attest.signing.submit import Submitter
        from attest.signing.transport import Transport

        services = pending.services_for(work, self.instance, where=where)
        with Transport() as transport:
            submitter = Submitter(services=services, root=self.root, transport=transport)
            try:
                return submitter.complete(work)
            except AttestError as error:
                if pending.may_wait(error, work):
                    error.hint = "the signature is still kept; try --resume again later"
                raise

    def _confirmed(self, data: bytes, work: SignedWork, task: _Task) -> VerifiedAttestation:
        trusted = replace(self.trusted, keys=pending.keys_of(work))
        made = [earlier.confirm(data, content, trusted, self.limits) for content in task.contents]
        return made[0]


def _subject_name(named: NamedTarget) -> str:
    """What a statement calls a target: a file by its own name, whatever folder it lies in."""
    return named.name if named.path is None else named.path.name
