"""What signing means for a pack: checked whole first, the attestation added inside."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from attest.api import earlier
from attest.api.earlier import Identity
from attest.api.signed import Signed, SignedSubject
from attest.api.target import require_writable
from attest.api.trusted import Trusted
from attest.engine.content import PackContent
from attest.errors import SigningError, UsageError
from attest.limits import Limits
from attest.pack.integrity import Progress
from attest.pack.reader import expect_manifest, open_pack
from attest.pack.writer import add_attestation
from attest.signing.work import EnvelopeContent
from attest.statement import pack_statement
from attest.verified import VerifiedAttestation

#: How often others may sign the same pack between a look at it and the writing.
_ATTEMPTS = 8


@dataclass(kw_only=True, slots=True)
class PackTask:
    """A pack that is intact, and what it carries; made by `read`."""

    name: str
    path: Path
    digest: bytes
    trusted: Trusted
    limits: Limits
    replace: bool
    _existing: Mapping[str, VerifiedAttestation] = field(default_factory=dict)
    _names: Collection[str] = ()

    @classmethod
    def read(
        cls,
        name: str,
        *,
        trusted: Trusted,
        limits: Limits,
        replace: bool,
        progress: Progress | None,
    ) -> PackTask:
        """Check the whole pack and everything that it carries.

        Args:
            name: path of the pack.
            trusted: what its attestations are verified under.
            limits: bounds on what is read.
            replace: whether an attestation of the same identity makes way.
            progress: told bytes done and bytes in all.

        Raises:
            MalformedEvidence, VerificationFailed: it is invalid; it is never signed.
            UsageError: it cannot be read.
        """
        path = Path(name)
        with open_pack(path, limits=limits) as pack:
            digest = pack.check_integrity(progress=progress).manifest_digest
            return cls(
                name=name,
                path=path,
                digest=digest,
                trusted=trusted,
                limits=limits,
                replace=replace,
                _existing=earlier.in_pack(pack, trusted, limits),
                _names=pack.attestation_names,
            )

    @property
    def content(self) -> EnvelopeContent:
        """What is signed."""
        return EnvelopeContent(payload=pack_statement(self.digest))

    @property
    def contents(self) -> tuple[PackContent, ...]:
        """What the signature must speak of."""
        return (PackContent(manifest_digest=self.digest),)

    @property
    def message(self) -> None:
        """See `FileTask.message`: a statement is at hand."""

    @property
    def pending(self) -> Path:
        """Where a signature is kept that waits for its log."""
        return Path(f"{self.path}.pending.json")

    def earlier(self, who: Identity) -> Signed | None:
        """The valid attestation of this identity that stands, unless it is to be replaced."""
        own = self._own(who)
        if own is None or self.replace:
            return None
        return self.result(own, self._existing[own], kept=True)

    def require_writable(self) -> None:
        """Refuse before anything is logged what could not be written afterwards.

        Raises:
            UsageError: `unwritable_file`.
        """
        require_writable(Path(os.path.realpath(self.path)).parent)

    def write(self, data: bytes, made: VerifiedAttestation) -> Signed:
        """Put a verified attestation into the pack; those that others add meanwhile stay.

        Args:
            data: the bundle.
            made: what the engine verified of it.

        Raises:
            VerificationFailed: `pack_changed`.
            UsageError, MalformedEvidence: the codes of `add_attestation`.
            SigningError: `pack_busy`.
        """
        who = Identity.of(made)
        for _ in range(_ATTEMPTS):
            if kept := self.earlier(who):
                return kept
            own = self._own(who)
            entry = own or earlier.entry_name(who.subject, self._names)
            try:
                add_attestation(
                    self.path,
                    entry,
                    data,
                    expect_manifest_digest=self.digest,
                    replace=own is not None,
                    limits=self.limits,
                )
            except UsageError as error:
                if error.code != "file_exists":
                    raise
                self._look_again()
            else:
                return self.result(entry, made)
        raise SigningError(
            "pack_busy",
            "others change this pack all the time",
            where=self.name,
            hint="sign it again when they have ended",
        )

    def result(
        self, entry: str | None, made: VerifiedAttestation | None, *, kept: bool = False
    ) -> Signed:
        """What became of it."""
        digest = f"sha256:{self.digest.hex()}"
        return Signed(
            target=self.name,
            kind="pack",
            digest=digest,
            path=self.path,
            entry=entry,
            attestation=made,
            subjects=(SignedSubject(name=self.name, digest=digest),),
            kept=kept,
        )

    def dry(self) -> Signed:
        """What becomes of it on a dry run."""
        return self.result(None, None)

    def _own(self, who: Identity) -> str | None:
        mine = {Identity.of(item): name for name, item in self._existing.items()}
        return mine.get(who)

    def _look_again(self) -> None:
        """Somebody took the name since: see who."""
        with open_pack(self.path, limits=self.limits) as pack:
            expect_manifest(pack, self.digest)
            self._existing = earlier.in_pack(pack, self.trusted, self.limits)
            self._names = pack.attestation_names
