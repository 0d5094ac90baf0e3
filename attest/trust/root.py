"""`trusted_root.json` to strict types: logs, certificate authorities, timestamp authorities."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from attest.errors import MalformedEvidence, TrustError, UsageError
from attest.files import read_file
from attest.keys import PublicKey
from attest.strictjson import JSON, Members, loads
from attest.trust.instance import PUBLIC, InstanceProfile, unavailable
from attest.trust.shipped import embedded_root, embedded_since

MEDIA_TYPE = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
_MEDIA_TYPES = (MEDIA_TYPE, "application/vnd.dev.sigstore.trustedroot.v0.1+json")
#: Organization in every certificate that the sandbox makes; marks a root as worthless elsewhere.
SANDBOX_ORGANIZATION = "attest sandbox (not for production)"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z")
#: The last two labels of a host's name; an IP address has none.
_DOMAIN = re.compile(r"[^.\s]+\.(?![0-9]+$)[^.:\s]+$")
_CODE = "invalid_trusted_root"
#: Bytes of a key id that a checkpoint's signature line carries (C2SP signed-note).
_HINT_SIZE = 4
#: Public good's root has 10 kB; a private one with many shards stays far below this.
_MAX_BYTES = 4 * 1_048_576


@dataclass(frozen=True, kw_only=True, slots=True)
class Validity:
    """A validity window (UTC), both ends inclusive; `end` None is open."""

    start: datetime
    end: datetime | None

    def contains(self, time: datetime) -> bool:
        """Whether a time lies in the window."""
        return self.start <= time and (self.end is None or time <= self.end)


@dataclass(frozen=True, kw_only=True, slots=True)
class Log:
    """A transparency log or CT log: its key, raw log id, and host as checkpoints name it.

    `hint` are the four raw bytes that name its key in checkpoints; `operator` is whom thresholds
    count: who runs it by the root's word, else its host's domain.
    """

    log_id: bytes
    host: str
    key: PublicKey
    valid: Validity
    hint: bytes
    operator: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Authority:
    """A certificate or timestamp authority: its certificates, the issuing or signing one first.

    `operator` is whom thresholds count: who runs it by the root's word, else its host's domain.
    """

    uri: str
    certificates: tuple[x509.Certificate, ...]
    valid: Validity
    operator: str

    def __reduce__(self) -> tuple[object, ...]:
        """Reach another process as DER: loaded certificates cannot."""
        raw = [item.public_bytes(Encoding.DER) for item in self.certificates]
        return _authority_of, (self.uri, raw, self.valid, self.operator)


def _authority_of(uri: str, raw: list[bytes], valid: Validity, operator: str) -> Authority:
    certificates = tuple(x509.load_der_x509_certificate(item) for item in raw)
    return Authority(uri=uri, certificates=certificates, valid=valid, operator=operator)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrustWarning:
    """Something about a trust root that does not change the verdict and should be known."""

    code: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TrustRoot:
    """Everything that evidence is checked against, and the profile that says what it must prove."""

    profile: InstanceProfile
    sha256: bytes
    sandbox: bool
    logs: tuple[Log, ...]
    ct_logs: tuple[Log, ...]
    authorities: tuple[Authority, ...]
    timestamp_authorities: tuple[Authority, ...]
    #: The `trusted_root.json` itself, for another verifier.
    document: bytes = field(repr=False)
    #: Seconds since it was last known to be current; None where nobody can know.
    age_seconds: int | None = None
    #: What the reader of a verdict under it should know.
    warnings: tuple[TrustWarning, ...] = ()

    @property
    def instance(self) -> str:
        """The name of the instance in reports."""
        return self.profile.name

    def requiring(self, *, log_entries: int = 0, timestamps: int = 0) -> TrustRoot:
        """This root, demanding at least so much proof; never less than its instance demands.

        Args:
            log_entries: log entries by distinct operators.
            timestamps: RFC 3161 timestamps by distinct operators.
        """
        profile = replace(
            self.profile,
            min_log_entries=max(self.profile.min_log_entries, log_entries),
            min_timestamps=max(self.profile.min_timestamps, timestamps),
        )
        return replace(self, profile=profile)

    @classmethod
    def embedded(cls, name: str) -> TrustRoot:
        """The root of a public instance as shipped with this version.

        Args:
            name: `sigstore` (public good) or `staging`.

        Raises:
            TrustError: `unknown_instance`; `trust_unavailable` for `github`, whose root must be
                fetched.
        """
        profile = PUBLIC.get(name)
        if profile is None:
            known = ", ".join(PUBLIC)
            raise TrustError("unknown_instance", f"no instance {name!r}", hint=f"known: {known}")
        data = embedded_root(name)
        if data is None:
            raise unavailable(name)
        root = cls.from_bytes(data, profile=profile, where=f"embedded {name} root")
        age = int((datetime.now(UTC) - embedded_since(name)).total_seconds())
        return replace(root, age_seconds=max(0, age))

    @classmethod
    def from_file(cls, path: Path | str) -> TrustRoot:
        """The root in a `trusted_root.json`, or inside a client trust config.

        Args:
            path: the file; naming it is what makes it trusted.

        Raises:
            TrustError: `trust_file_unreadable`, `invalid_trusted_root`.
        """
        path = Path(path)
        try:
            data = read_file(path, limit=_MAX_BYTES)
        except UsageError as error:
            raise TrustError(
                "trust_file_unreadable",
                error.message,
                where=str(path),
                hint="name a trusted_root.json or a client trust config",
            ) from None
        if len(data) > _MAX_BYTES:
            raise TrustError(_CODE, f"larger than {_MAX_BYTES} bytes", where=str(path))
        profile = InstanceProfile.private(path.name)
        return cls.from_bytes(data, profile=profile, where=str(path))

    @classmethod
    def from_bytes(cls, data: bytes, *, profile: InstanceProfile, where: str) -> TrustRoot:
        """Parse a trusted root or a client trust config.

        Args:
            data: the JSON bytes.
            profile: what this instance must prove.
            where: name of the source, for errors.

        Raises:
            TrustError: `invalid_trusted_root`.

        Source: sigstore_trustroot.proto (TrustedRoot v0.1, ClientTrustConfig v0.1).
        """
        try:
            return _parse(loads(data, where=where), data, profile, where)
        except MalformedEvidence as error:
            raise TrustError(_CODE, error.message, where=error.where, hint=error.hint) from None


_CONFIG_MEDIA_TYPE = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"


def _parse(value: JSON, data: bytes, profile: InstanceProfile, where: str) -> TrustRoot:
    root = Members(value, where=where, code=_CODE)
    document = data
    if root.raw("mediaType") == _CONFIG_MEDIA_TYPE:
        config, root = root, root.members("trustedRoot")
        document = json.dumps(config.raw("trustedRoot")).encode()
        config.raw("signingConfig")
        config.no_others()
    media_type = root.string("mediaType", "")
    if media_type not in _MEDIA_TYPES:
        raise root.fail("mediaType", f"{media_type!r} is not a trusted root of version 0.1")
    logs = _logs(root, "tlogs")
    ct_logs = _logs(root, "ctlogs")
    authorities = _authorities(root, "certificateAuthorities")
    timestamp_authorities = _authorities(root, "timestampAuthorities")
    root.no_others()
    every = [*authorities, *timestamp_authorities]
    return TrustRoot(
        profile=profile,
        sha256=hashlib.sha256(data).digest(),
        sandbox=any(_is_sandbox(item) for authority in every for item in authority.certificates),
        logs=logs,
        ct_logs=ct_logs,
        authorities=authorities,
        timestamp_authorities=timestamp_authorities,
        document=document,
    )


def _is_sandbox(certificate: x509.Certificate) -> bool:
    names = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return any(name.value == SANDBOX_ORGANIZATION for name in names)


def _logs(root: Members, key: str) -> tuple[Log, ...]:
    logs: list[Log] = []
    for item in root.list_of_members(key):
        public_key = item.members("publicKey")
        log_id = item.members("logId")
        log = _log(item, public_key, log_id.base64("keyId"))
        public_key.no_others()
        log_id.no_others()
        item.no_others()
        if log is not None:
            logs.append(log)
    return tuple(logs)


def _log(item: Members, public_key: Members, log_id: bytes) -> Log | None:
    if item.string("hashAlgorithm", "SHA2_256") != "SHA2_256":
        raise item.fail("hashAlgorithm", "is not SHA2_256")
    operator = item.string("operator", "")
    public_key.string("keyDetails")
    raw, valid = public_key.base64("rawBytes"), _validity(public_key)
    host = _host(item, "baseUrl", item.string("baseUrl"))
    hint = _hint(item, log_id)
    try:
        key = PublicKey.from_der(raw)
    except ValueError:
        return None  # of a kind we cannot check: what it signs stays untrusted
    return Log(
        log_id=log_id,
        host=host,
        key=key,
        valid=valid,
        hint=hint,
        operator=_operator(operator, host),
    )


def _hint(item: Members, log_id: bytes) -> bytes:
    """The key id in checkpoints, where it is another than the log's own (C2SP signed-note)."""
    if item.has("checkpointKeyId"):
        members = item.members("checkpointKeyId")
        log_id = members.base64("keyId")
        if len(log_id) < _HINT_SIZE:
            raise members.fail("keyId", f"is shorter than {_HINT_SIZE} bytes")
        members.no_others()
    return log_id[:_HINT_SIZE]


def _host(item: Members, key: str, url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError as error:
        raise item.fail(key, f"is not a URL: {error}") from None


def _operator(given: str, host: str) -> str:
    """Who runs a service; one who is written in two ways, or has several hosts, counts once.

    Of a host's name the last two labels count: the public instance's two logs are on two hosts
    of one domain, and no operator is named. Where strangers share such a domain too few are
    counted, never too many.
    """
    name = (given.strip() or host).casefold()
    domain = _DOMAIN.search(name.rstrip("."))
    return domain[0] if domain else name


def _authorities(root: Members, key: str) -> tuple[Authority, ...]:
    authorities: list[Authority] = []
    for item in root.list_of_members(key):
        item.raw("subject")
        operator, uri = item.string("operator", ""), item.string("uri", "")
        chain = item.members("certChain")
        certificates = tuple(_certificate(raw) for raw in chain.list_of_members("certificates"))
        if not certificates:
            raise chain.fail("certificates", "is empty")
        chain.no_others()
        authority = Authority(
            uri=uri,
            certificates=certificates,
            valid=_validity(item),
            operator=_operator(operator, _host(item, "uri", uri)),
        )
        item.no_others()
        authorities.append(authority)
    return tuple(authorities)


def _certificate(item: Members) -> x509.Certificate:
    raw = item.base64("rawBytes")
    item.no_others()
    try:
        certificate = x509.load_der_x509_certificate(raw)
        # All of these are parsed when first asked for: a broken root fails here, as a root.
        _, _, _ = certificate.subject, certificate.issuer, certificate.extensions
    # No common base: ValueError, InvalidVersion, DuplicateExtension, and warnings made errors.
    except Exception as error:  # noqa: BLE001
        raise item.fail("rawBytes", f"is not a certificate: {error}") from None
    return certificate


def _validity(item: Members) -> Validity:
    window = item.members("validFor")
    start = _time(window, "start")
    end = _time(window, "end")
    window.no_others()
    if start is None:
        raise window.fail("start", "is missing")
    return Validity(start=start, end=end)


def _time(window: Members, key: str) -> datetime | None:
    if not window.has(key):
        return None
    text = window.string(key)
    if not _TIME.fullmatch(text):
        raise window.fail(key, "is not an RFC 3339 time in UTC")
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise window.fail(key, "is not a time") from None
