"""Instance profiles: what evidence of a Sigstore instance must prove, never inferred from it."""

from __future__ import annotations

from dataclasses import dataclass

from attest.errors import TrustError


@dataclass(frozen=True, kw_only=True, slots=True)
class InstanceProfile:
    """How much an instance proves: least numbers of SCTs, log entries, times and timestamps.

    `min_times` counts every verified time, `min_timestamps` RFC 3161 timestamps alone; log
    entries, times and timestamps are counted over distinct operators.

    Source: design, section 6, "instance profile".
    """

    name: str
    min_scts: int = 1
    min_log_entries: int = 1
    min_times: int = 1
    min_timestamps: int = 0

    def __post_init__(self) -> None:
        """Refuse a profile under which no certificate could be judged.

        Raises:
            TrustError: `invalid_instance_profile`.
        """
        if self.min_times < 1:
            raise TrustError(
                "invalid_instance_profile", "a certificate is judged at a verified time"
            )

    @classmethod
    def private(cls, name: str, *, scts: bool = True, log: bool = True) -> InstanceProfile:
        """The profile of a private instance: as strict as the public ones, unless relaxed.

        Args:
            name: of the instance.
            scts: whether certificates must prove that a CT log has them.
            log: whether evidence must prove that a transparency log has it.
        """
        return cls(name=name, min_scts=int(scts), min_log_entries=int(log))

    @property
    def relaxed(self) -> tuple[str, ...]:
        """What a private instance need not prove although the public ones must."""
        if self.name in PUBLIC:
            return ()
        lacking = []
        if self.min_scts < 1:
            lacking.append("no SCT")
        if self.min_log_entries < 1:
            lacking.append("no log entry")
        return tuple(lacking)


#: The instances whose trust material, or its anchor, ships with this version.
PUBLIC: dict[str, InstanceProfile] = {
    "sigstore": InstanceProfile(name="sigstore"),
    "staging": InstanceProfile(name="staging"),
    # GitHub's own: bundles with a certificate and a timestamp, no log entry and no SCT.
    "github": InstanceProfile(name="github", min_scts=0, min_log_entries=0, min_timestamps=1),
}
#: Where each serves its signed metadata.
REPOSITORIES: dict[str, str] = {
    "sigstore": "https://tuf-repo-cdn.sigstore.dev",
    "staging": "https://tuf-repo-cdn.sigstage.dev",
    "github": "https://tuf-repo.github.com",
}


def unavailable(name: str) -> TrustError:
    """The error for an instance whose trusted root neither ships nor was ever fetched."""
    return TrustError(
        "trust_unavailable",
        f"the trusted root of {name} was never fetched, and none comes with this version",
        hint=f"with a network, run `attest trust update {name}`",
    )


def sandbox_root(where: str) -> TrustError:
    """The error for a sandbox's root where it would be trusted by name."""
    return TrustError(
        "sandbox_root",
        "this is a sandbox's trusted root, which proves nothing to anybody",
        where=where,
        hint="name its file with --trusted-root where you mean it",
    )
