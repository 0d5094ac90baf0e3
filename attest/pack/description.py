"""What the maker of a pack says of it beyond its files: a strict JSON object."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from attest.errors import UsageError
from attest.limits import DEFAULT_LIMITS, Limits
from attest.pack.fields import Fields
from attest.pack.manifest import (
    ARTIFACTS,
    EmbeddedArtifact,
    LockedProfile,
    ReferencedArtifact,
    Source,
)
from attest.pack.manifest_fields import (
    DESCRIPTIVE,
    REFERENCE,
    read_locked_profile,
    read_reference,
    read_source,
)
from attest.strictjson import JSON, loads

T = TypeVar("T")

_KNOWN = frozenset(["sources", "references", "artifacts", "profile", "overlays", "profile_lock"])
_RULE = DESCRIPTIVE | {"match"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ArtifactRule:
    """What is said of every artifact that a pattern matches; None is not said.

    `match` is a path below `artifacts/`, in which `*` stands for any text without a slash and
    `**` for any text.
    """

    match: str
    content_type: str | None = None
    display_name: str | None = None
    description: str | None = None
    collected_at: datetime | None = None
    schema: str | None = None
    semantic_type: str | None = None
    metadata: Mapping[str, JSON] | None = None
    controls: tuple[str, ...] | None = None

    def matches(self, path: str) -> bool:
        """Whether it speaks of the artifact at an archive path."""
        parts = re.split(r"(\*\*|\*)", self.match)
        pattern = "".join({"*": "[^/]*", "**": ".*"}.get(part) or re.escape(part) for part in parts)
        return re.fullmatch(pattern, path.removeprefix(ARTIFACTS), re.DOTALL) is not None

    def applied_to(self, artifact: EmbeddedArtifact) -> EmbeddedArtifact:
        """The artifact with what is said of it."""
        return replace(
            artifact,
            content_type=_first(self.content_type, artifact.content_type),
            display_name=_first(self.display_name, artifact.display_name),
            description=_first(self.description, artifact.description),
            collected_at=_first(self.collected_at, artifact.collected_at),
            schema=_first(self.schema, artifact.schema),
            semantic_type=_first(self.semantic_type, artifact.semantic_type),
            metadata=_first(self.metadata, artifact.metadata),
            controls=_first(self.controls, artifact.controls),
        )


def _first(said: T | None, before: T | None) -> T | None:
    return before if said is None else said


@dataclass(frozen=True, kw_only=True, slots=True)
class Description:
    """Everything in a manifest that does not follow from the files."""

    sources: tuple[Source, ...] = ()
    references: tuple[ReferencedArtifact, ...] = ()
    artifacts: tuple[ArtifactRule, ...] = ()
    profile: str | None = None
    overlays: tuple[str, ...] | None = None
    profile_lock: tuple[LockedProfile, ...] | None = None

    def describe(self, artifact: EmbeddedArtifact) -> EmbeddedArtifact:
        """The artifact with what every rule that matches it says; later rules win."""
        for rule in self.artifacts:
            if rule.matches(artifact.path):
                artifact = rule.applied_to(artifact)
        return artifact

    def check_matches(self, paths: Iterable[str]) -> None:
        """Refuse a rule that speaks of no artifact, which most often is a typo.

        Raises:
            UsageError: `unmatched_pattern`.
        """
        known = list(paths)
        for rule in self.artifacts:
            if not any(rule.matches(path) for path in known):
                raise UsageError(
                    "unmatched_pattern",
                    f"no artifact matches '{rule.match}'",
                    where="artifacts",
                    hint="a pattern is a path below artifacts/; * stops at a slash, ** does not",
                )


NOTHING_SAID = Description()


def parse_description(data: bytes, *, where: str, limits: Limits = DEFAULT_LIMITS) -> Description:
    """Parse a description as strictly as a manifest.

    Args:
        data: the JSON; its members are those of a manifest, with `references` apart from
            `artifacts`, whose elements are rules with a `match`.
        where: its name, for errors.
        limits: bounds on nesting.

    Raises:
        MalformedEvidence: the codes of `strictjson.loads`, and those of `read_manifest` for the
            same fields.

    Source: Evidence Pack R-024 to R-027a, R-028b to R-028d, R-030, R-039, R-040.
    """
    value = loads(data, where=where, max_depth=limits.max_json_depth)
    fields = Fields(value, where=f"{where}: $", known=_KNOWN)

    def each(key: str) -> list[tuple[JSON, str]]:
        items = fields.optional(key, fields.array) or []
        return [(item, f"{fields.where}.{key}[{index}]") for index, item in enumerate(items)]

    lock = tuple(read_locked_profile(item, at) for item, at in each("profile_lock"))
    return Description(
        sources=tuple(read_source(item, at) for item, at in each("sources")),
        references=tuple(
            read_reference(Fields(item, where=at, known=REFERENCE - {"type"}))
            for item, at in each("references")
        ),
        artifacts=tuple(_read_rule(item, at) for item, at in each("artifacts")),
        profile=fields.optional("profile", lambda key: fields.text(key, "R-028b")),
        overlays=fields.optional("overlays", lambda key: fields.texts(key, "R-028c")),
        profile_lock=fields.optional("profile_lock", lambda _: lock),
    )


def _read_rule(value: JSON, where: str) -> ArtifactRule:
    fields = Fields(value, where=where, known=_RULE)
    return ArtifactRule(
        match=fields.text("match"),
        content_type=fields.optional("content_type", fields.string),
        display_name=fields.optional("display_name", fields.string),
        description=fields.optional("description", fields.string),
        collected_at=fields.optional("collected_at", fields.time),
        schema=fields.optional("schema", fields.string),
        semantic_type=fields.optional("semantic_type", fields.string),
        metadata=fields.optional("metadata", fields.mapping),
        controls=fields.optional("controls", fields.texts),
    )
