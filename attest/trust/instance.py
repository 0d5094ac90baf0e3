"""Instance profiles: what evidence of a Sigstore instance must prove, never inferred from it."""

from __future__ import annotations

from dataclasses import dataclass

from attest.errors import TrustError


@dataclass(frozen=True, kw_only=True, slots=True)
class InstanceProfile:
    """How much an instance proves: least numbers of SCTs, log entries and verified times.

    Source: design, section 6, "instance profile".
    """

    name: str
    min_scts: int = 1
    min_log_entries: int = 1
    min_times: int = 1

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
    def private(cls, name: str) -> InstanceProfile:
        """The profile of an instance given by a file: as strict as the public ones."""
        return cls(name=name)


#: The public instances whose roots ship with this version.
PUBLIC: dict[str, InstanceProfile] = {
    "sigstore": InstanceProfile(name="sigstore"),
    "staging": InstanceProfile(name="staging"),
}
