"""What a manifest may say: every object and field that the document defines."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from attest.errors import MalformedEvidence
from attest.limits import Limits
from attest.pack import manifest_model as model
from attest.pack.columns import read_columns
from attest.pack.fields import Fields
from attest.pack.paths import check_path, check_unique
from attest.strictjson import JSON

ACCESS_POLICIES = frozenset({"public", "nda_required", "customer_only", "request_access"})

_HEX_DIGEST = re.compile(r"[0-9a-f]{64}")
_BUNDLE_TYPE = re.compile(r"application/vnd\.dev\.sigstore\.bundle(?:\+json;version=|\.v).+")


_MANIFEST = frozenset(
    [
        "spec_version",
        "stream",
        "generated_at",
        "pack_digest",
        "sources",
        "artifacts",
        "provenance",
        "profile",
        "overlays",
        "profile_lock",
    ]
)
_SOURCE = frozenset(["name", "version", "source", "commit", "binary_digest", "artifacts"])
#: What may be said of an embedded artifact beyond which bytes it is.
DESCRIPTIVE = frozenset(
    [
        "content_type",
        "display_name",
        "description",
        "collected_at",
        "schema",
        "semantic_type",
        "metadata",
        "controls",
    ]
)
_EMBEDDED = DESCRIPTIVE | {"type", "path", "digest", "size"}
REFERENCE = frozenset(["type", "name", "uri", "access", "digest"])
_ARTIFACT = _EMBEDDED | REFERENCE
_ACCESS = frozenset({"policy"})
_PROVENANCE = frozenset(["type", "merged_at", "merged_by", "source_packs"])
_SOURCE_PACK = frozenset(
    ["stream", "pack_digest", "manifest_digest", "artifacts", "embedded_attestations"]
)
_LOCKED = frozenset({"id", "digest"})


def read_manifest(value: JSON, *, limits: Limits) -> model.Manifest:
    """Check a parsed manifest and give its parts.

    Args:
        value: the parsed JSON.
        limits: bounds on the number of artifacts and of embedded attestations.

    Raises:
        MalformedEvidence: `missing_FIELD`, `invalid_type`, `unknown_field`,
            `unsupported_spec_version`, `invalid_stream`, `invalid_timestamp`,
            `invalid_digest_format`, `invalid_number`, `duplicate_path`, `too_many_artifacts`,
            `artifact_outside_directory`, `invalid_access_policy`, `insecure_scheme`,
            `userinfo_not_allowed`, `fragment_not_allowed`, `invalid_uri`,
            `too_many_attestations`, `invalid_bundle_media_type`,
            `missing_verification_material`, `missing_dsse_envelope`, and the codes of
            `paths.check_path`.

    Source: Evidence Pack R-012 to R-020a, R-027 to R-034a, R-039, R-040.
    """
    fields = Fields(value, where="manifest", known=_MANIFEST)
    if fields.string("spec_version", "R-028") != model.SPEC_VERSION:
        raise fields.fail("unsupported_spec_version", "spec_version", "must be '1.0'", "R-028")
    stream = fields.text("stream", "R-029")
    generated_at = fields.time("generated_at")
    digest = fields.digest("pack_digest", "R-031")
    sources = fields.array("sources")
    artifacts = fields.array("artifacts")
    if len(artifacts) > limits.max_artifacts:
        raise fields.fail(
            "too_many_artifacts",
            "artifacts",
            f"{len(artifacts)} artifacts are more than {limits.max_artifacts}",
            "R-051",
        )
    found = _read_artifacts(artifacts)
    check_unique(
        [item.path for item in found if isinstance(item, model.EmbeddedArtifact)], [], rule="R-034"
    )
    return model.Manifest(
        stream=stream,
        generated_at=generated_at,
        pack_digest=digest,
        sources=tuple(
            read_source(item, f"manifest.sources[{index}]") for index, item in enumerate(sources)
        ),
        artifacts=found,
        provenance=fields.optional(
            "provenance", lambda key: _read_provenance(fields.required(key), limits)
        ),
        profile=fields.optional("profile", lambda key: fields.text(key, "R-028b")),
        overlays=fields.optional("overlays", lambda key: fields.texts(key, "R-028c")),
        profile_lock=fields.optional(
            "profile_lock",
            lambda key: tuple(
                read_locked_profile(item, f"manifest.{key}[{index}]")
                for index, item in enumerate(fields.array(key, "R-028d"))
            ),
        ),
    )


def read_source(value: JSON, where: str) -> model.Source:
    """Read one collector of `sources`."""
    fields = Fields(value, where=where, known=_SOURCE)
    return model.Source(
        name=fields.text("name"),
        version=fields.optional("version", fields.string),
        source=fields.optional("source", fields.string),
        commit=fields.optional("commit", fields.string),
        binary_digest=fields.optional("binary_digest", fields.digest),
        artifacts=fields.optional("artifacts", fields.integer),
    )


def _read_artifacts(items: Sequence[JSON]) -> tuple[model.Artifact, ...]:
    embedded = [item for item in items if isinstance(item, dict) and item.get("type") == "embedded"]
    usual = read_columns(embedded)
    if usual is not None and len(usual) == len(items):
        return usual
    return tuple(
        _read_artifact(item, f"manifest.artifacts[{index}]") for index, item in enumerate(items)
    )


def _read_artifact(value: JSON, where: str) -> model.Artifact:
    # The type decides which fields are known, so it is read before anything else.
    if isinstance(value, dict) and value.get("type") == "embedded":
        return _read_embedded(Fields(value, where=where, known=_EMBEDDED))
    fields = Fields(value, where=where, known=_ARTIFACT)
    artifact_type = fields.string("type", "R-032")
    if artifact_type == "reference":
        return read_reference(Fields(value, where=where, known=REFERENCE))
    raise fields.fail("invalid_type", "type", "must be 'embedded' or 'reference'", "R-032")


def _read_embedded(fields: Fields) -> model.EmbeddedArtifact:
    path = fields.string("path", "R-033")
    check_path(path)
    if not path.startswith(model.ARTIFACTS):
        raise fields.fail("artifact_outside_directory", "path", "must be below artifacts/", "R-005")
    digest = fields.digest("digest", "R-033")
    size = fields.integer("size", "R-033")
    return model.EmbeddedArtifact(
        path=path,
        digest=digest,
        size=size,
        content_type=fields.optional("content_type", fields.string),
        display_name=fields.optional("display_name", fields.string),
        description=fields.optional("description", fields.string),
        collected_at=fields.optional("collected_at", fields.time),
        schema=fields.optional("schema", fields.string),
        semantic_type=fields.optional("semantic_type", fields.string),
        metadata=fields.optional("metadata", fields.mapping),
        controls=fields.optional("controls", fields.texts),
    )


def read_reference(fields: Fields) -> model.ReferencedArtifact:
    """Read one pointer to evidence elsewhere (R-039, R-040)."""
    name = fields.text("name")
    uri = fields.string("uri")
    check_uri(uri, f"{fields.where}.uri")
    access = Fields(fields.required("access"), where=f"{fields.where}.access", known=_ACCESS)
    policy = access.string("policy")
    if policy not in ACCESS_POLICIES:
        raise access.fail(
            "invalid_access_policy",
            "policy",
            f"must be one of {', '.join(sorted(ACCESS_POLICIES))}",
        )
    return model.ReferencedArtifact(
        name=name,
        uri=uri,
        access_policy=policy,
        digest=fields.optional("digest", fields.digest),
    )


def check_uri(uri: str, where: str) -> None:
    """Refuse what no client may fetch; errors never repeat the URI, which may hold a secret.

    Args:
        uri: of a reference, or where a server redirects to.
        where: its place, for errors.

    Raises:
        MalformedEvidence: `invalid_uri`, `insecure_scheme`, `userinfo_not_allowed`,
            `fragment_not_allowed`.

    Source: Evidence Pack R-039, R-040.
    """
    from urllib.parse import urlsplit

    def refused(code: str, message: str, rule: str | None = None) -> MalformedEvidence:
        return MalformedEvidence(code, message, where=where, rule=rule)

    # urlsplit drops such characters silently, so that two readers see different hosts.
    if not uri.isascii() or not uri.isprintable() or any(mark in uri for mark in ' "<>\\^`{|}'):
        raise refused("invalid_uri", "has characters that a URI cannot have")
    try:
        parts = urlsplit(uri)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise refused("invalid_uri", "is not a URI") from None
    if parts.scheme != "https":
        raise refused("insecure_scheme", "must be an https URI", "R-039")
    if "@" in parts.netloc:
        raise refused("userinfo_not_allowed", "must not carry user information", "R-040")
    if "#" in uri:
        raise refused("fragment_not_allowed", "must not have a fragment", "R-040")
    if not host:
        raise refused("invalid_uri", "names no host")


def _read_provenance(value: JSON, limits: Limits) -> model.Provenance:
    fields = Fields(value, where="manifest.provenance", known=_PROVENANCE)
    origin = fields.string("type")
    if origin not in ("merged", "single"):
        raise fields.fail("invalid_type", "type", "must be 'merged' or 'single'")
    merged = origin == "merged"
    merged_at = fields.time("merged_at") if merged else fields.optional("merged_at", fields.time)
    packs = (
        tuple(
            _read_source_pack(item, f"{fields.where}.source_packs[{index}]")
            for index, item in enumerate(fields.array("source_packs"))
        )
        if merged
        else fields.optional("source_packs", lambda key: _no_packs(fields, key))
    )
    if merged and not packs:
        raise fields.fail("missing_source_packs", "source_packs", "must not be empty")
    # Each of them is verified, so they are bounded together and not by source.
    total = sum(len(pack.embedded_attestations or ()) for pack in packs or ())
    if total > limits.max_attestations:
        raise fields.fail(
            "too_many_attestations",
            "source_packs",
            f"{total} embedded attestations are more than {limits.max_attestations}",
            "R-051",
        )
    return model.Provenance(
        type=origin,
        merged_at=merged_at,
        merged_by=fields.optional("merged_by", fields.string),
        source_packs=packs,
    )


def _no_packs(fields: Fields, key: str) -> tuple[model.SourcePack, ...]:
    if fields.array(key):
        raise fields.fail("invalid_type", key, "only a merged pack has source packs")
    return ()


def _read_source_pack(value: JSON, where: str) -> model.SourcePack:
    fields = Fields(value, where=where, known=_SOURCE_PACK)
    stream = fields.text("stream")
    digest = fields.digest("pack_digest")
    artifacts = fields.integer("artifacts")
    # Before the manifest digest, which the published vectors lack: each names its own fault first.
    bundles = fields.optional(
        "embedded_attestations",
        lambda key: tuple(
            _read_bundle(item, f"{where}.{key}[{index}]")
            for index, item in enumerate(fields.array(key))
        ),
    )
    manifest_digest = fields.string("manifest_digest")
    if not _HEX_DIGEST.fullmatch(manifest_digest):
        raise fields.fail(
            "invalid_digest_format", "manifest_digest", "must be 64 lowercase hex digits"
        )
    return model.SourcePack(
        stream=stream,
        pack_digest=digest,
        manifest_digest=bytes.fromhex(manifest_digest),
        artifacts=artifacts,
        embedded_attestations=bundles,
    )


def _read_bundle(value: JSON, where: str) -> Mapping[str, JSON]:
    """An embedded attestation is opaque here, but it must be a Sigstore bundle."""
    if not isinstance(value, dict):
        raise MalformedEvidence("invalid_type", "must be an object", where=where)
    media_type = value.get("mediaType")
    if not isinstance(media_type, str) or not _BUNDLE_TYPE.fullmatch(media_type):
        raise MalformedEvidence(
            "invalid_bundle_media_type", "is not a Sigstore bundle", where=f"{where}.mediaType"
        )
    for key, code in (
        ("verificationMaterial", "missing_verification_material"),
        ("dsseEnvelope", "missing_dsse_envelope"),
    ):
        if not isinstance(value.get(key), dict):
            raise MalformedEvidence(code, f"has no {key}", where=f"{where}.{key}")
    return value


def read_locked_profile(value: JSON, where: str) -> model.LockedProfile:
    """Read one pinned identifier of `profile_lock` (R-028d)."""
    fields = Fields(value, where=where, known=_LOCKED)
    return model.LockedProfile(
        id=fields.text("id", "R-028d"), digest=fields.digest("digest", "R-028d")
    )
