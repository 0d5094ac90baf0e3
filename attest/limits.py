"""Every numeric bound with its reason, in one frozen value."""

from __future__ import annotations

from dataclasses import dataclass, fields

from attest.errors import UsageError

#: Integer fields lie in 0..2^53-1 so that every JSON reader sees the same number (R-027).
MAX_SAFE_INTEGER = 2**53 - 1

#: Mandatory floors of the Evidence Pack document, "Size Limits" (R-051): no setting goes below.
FLOORS = {
    "max_artifact_bytes": 1_048_576,
    "max_pack_bytes": 10_485_760,
    "max_artifacts": 100,
    "max_manifest_bytes": 65_536,
    "max_bundle_bytes": 65_536,
    "max_bundle_file_bytes": 65_536,
    "max_bundles": 1,
    "max_attestations": 8,
    "max_json_depth": 16,
    "max_compression_ratio": 1,
    "max_log_entries": 1,
    "max_timestamps": 1,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Bounds that are always enforced; each may be raised, or lowered to its floor, never off."""

    #: One artifact, uncompressed. Default of the Evidence Pack document.
    max_artifact_bytes: int = 100 * 1_048_576
    #: All entries of a pack together, uncompressed. Default of the Evidence Pack document.
    max_pack_bytes: int = 2 * 1_073_741_824
    #: Artifacts in a manifest, and file entries of the archive. Default of the document.
    max_artifacts: int = 10_000
    #: Uncompressed over compressed size of one entry. Default of the document.
    max_compression_ratio: int = 100
    #: A manifest of 10,000 artifacts with metadata takes about 5 MB.
    max_manifest_bytes: int = 32 * 1_048_576
    #: The largest bundles in use (certificate, v2 proof, SLSA provenance) stay below 1 MB.
    max_bundle_bytes: int = 16 * 1_048_576
    #: A file of many bundles: the lists that registries serve stay below 1 MB.
    max_bundle_file_bytes: int = 64 * 1_048_576
    #: Bundles in one file beside an artifact; each costs up to 5 ms to verify.
    max_bundles: int = 1_000
    #: Attestations in one pack; each costs up to 5 ms to verify.
    max_attestations: int = 1_000
    #: Nesting of JSON values; the deepest published format needs 12.
    max_json_depth: int = 64
    #: Log entries in one bundle, as other clients bound them.
    max_log_entries: int = 32
    #: RFC 3161 timestamps in one bundle, as other clients bound them.
    max_timestamps: int = 32

    def __post_init__(self) -> None:
        """Refuse a limit that is off, not a whole number, or below its floor (R-051)."""
        for field in fields(self):
            value: object = getattr(self, field.name)
            if not isinstance(value, int) or isinstance(value, bool):
                raise UsageError("invalid_limit", f"{field.name} must be a whole number")
            if value <= 0:
                raise UsageError(
                    "limits_disabled",
                    f"{field.name} cannot be switched off",
                    rule="R-051",
                    hint=f"the lowest value is {FLOORS[field.name]}",
                )
            if value < FLOORS[field.name]:
                raise UsageError(
                    "below_minimum",
                    f"{field.name} {value} is below the mandatory minimum {FLOORS[field.name]}",
                    rule="R-051",
                )


DEFAULT_LIMITS = Limits()
