"""Certificate to identity: its one name, Fulcio's claims by one OID table, and what names it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from cryptography import x509
from cryptography.hazmat.asn1 import decode_der
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from attest.errors import MalformedEvidence

_CODE = "invalid_certificate"
_FULCIO = "1.3.6.1.4.1.57264.1."
#: Name of each claim by the last arc of its OID; up to 6 raw bytes, from 8 on DER UTF8String.
#: Source: sigstore/fulcio, docs/oid-info.md.
CLAIMS: dict[int, str] = {
    1: "issuer-v1",
    2: "github-workflow-trigger",
    3: "github-workflow-sha",
    4: "github-workflow-name",
    5: "github-workflow-repository",
    6: "github-workflow-ref",
    8: "issuer",
    9: "build-signer-uri",
    10: "build-signer-digest",
    11: "runner-environment",
    12: "source-repository-uri",
    13: "source-repository-digest",
    14: "source-repository-ref",
    15: "source-repository-identifier",
    16: "source-repository-owner-uri",
    17: "source-repository-owner-identifier",
    18: "build-config-uri",
    19: "build-config-digest",
    20: "build-trigger",
    21: "run-invocation-uri",
    22: "source-repository-visibility",
    23: "deployment-environment",
    24: "token-subject",
}
_RAW_UP_TO = 6
_ARCS = {x509.ObjectIdentifier(f"{_FULCIO}{arc}"): arc for arc in CLAIMS}
#: Fulcio puts user names into an otherName of this type.
_USERNAME = x509.ObjectIdentifier(_FULCIO + "7")

SubjectKind: TypeAlias = Literal["email", "uri", "username"]


@dataclass(frozen=True, kw_only=True, slots=True)
class CertificateIdentity:
    """Who a Fulcio certificate names.

    `subject` is the one subject alternative name as text; `issuer` the OIDC issuer that vouched
    for it; `claims` every known extension by name.
    """

    subject: str
    kind: SubjectKind
    issuer: str
    claims: Mapping[str, str] = field(hash=False)

    @property
    def principal(self) -> str:
        """What is counted: a person by folded e-mail, a workflow without its ref, else the subject.

        Two spellings of one workflow must not count as two, so case folds and the workflow ends at
        its first `@`: a branch may be named `a@b`.

        Source: design, section 7 "Principals".
        """
        number = self.claims.get("source-repository-identifier")
        return self._workflow(number, self._file) if number else self.named_principal

    @property
    def named_principal(self) -> str:
        """The principal with the repository's name in place of its id, which old CAs leave out."""
        return self._workflow(self._repository, self._file)

    @property
    def names(self) -> frozenset[str]:
        """Everything it may be revoked by: both principals, and each as somebody might write it.

        That is with a workflow's URI in place of its path, and as issuer and subject.
        """
        number = self.claims.get("source-repository-identifier")
        named = (self._workflow(item, self._signer) for item in (number, self._repository))
        return frozenset({self.principal, self.named_principal, self._subject, *named})

    @property
    def _subject(self) -> str:
        return f"subject:{self.issuer}#{self.subject}"

    @property
    def _repository(self) -> str | None:
        uri = self.claims.get("source-repository-uri")
        # `https://HOST/NAME`; before 2023 the public CA wrote only the name, elsewhere.
        name = uri.split("/", 3)[-1] if uri else self.claims.get("github-workflow-repository")
        return name.lower() if name else None

    @property
    def _signer(self) -> str | None:
        """The URI of the workflow that signed, without its ref; None if no workflow did.

        A CI system may put there what differs from run to run (Codefresh does), so that one
        pipeline would count as often as it runs: a workflow is what the subject names too.
        """
        if self.claims.get("build-signer-uri", self.subject) != self.subject:
            return None
        file, ref, _ = self.subject.partition("@")
        return file.lower() if ref else None

    @property
    def _file(self) -> str | None:
        """The workflow that signed: its path, where it is the repository's own, or its URI.

        Who renames a repository has no second workflow by that.
        """
        signer, repository = self._signer, self._repository
        if not signer or not repository:
            return signer
        path = signer.split("/", 3)[-1]
        if not path.startswith(f"{repository}/"):
            return signer
        return path.removeprefix(f"{repository}/").removeprefix("/")  # GitLab has two

    def _workflow(self, repository: str | None, file: str | None) -> str:
        if self.kind == "email":
            return f"email:{self.subject.casefold()}"
        if not repository or not file:
            return self._subject
        return f"workflow:{self.issuer}#{repository}#{file}"


@dataclass(frozen=True, kw_only=True, slots=True)
class CertificateFacts:
    """A certificate that signed, as its DER; what names it is read when it is asked for."""

    der: bytes

    @property
    def sha256(self) -> bytes:
        """SHA-256 of the DER (32 raw bytes)."""
        return hashlib.sha256(self.der).digest()

    @property
    def tbs_sha256(self) -> bytes:
        """SHA-256 of the part that its CA signed (32 raw bytes)."""
        return hashlib.sha256(self._certificate.tbs_certificate_bytes).digest()

    @property
    def spki(self) -> bytes:
        """Its public key as DER SubjectPublicKeyInfo."""
        key = self._certificate.public_key()
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def is_issued_as(self, name: str) -> bool:
        """Whether `ISSUER#SERIAL` (RFC 4514 name, hex serial) names this certificate.

        Raises:
            ValueError: that is no such name.

        Source: RFC 5280, section 4.1.2.2: issuer and serial number identify a certificate.
        """
        return _issued_name(name) == (self._certificate.issuer, self._certificate.serial_number)

    @property
    def _certificate(self) -> x509.Certificate:
        return x509.load_der_x509_certificate(self.der)


def is_issued_name(name: str) -> bool:
    """Whether a text is an `ISSUER#SERIAL`, as `CertificateFacts.is_issued_as` takes it."""
    try:
        _issued_name(name)
    except ValueError:
        return False
    return True


def _issued_name(name: str) -> tuple[x509.Name, int]:
    issuer, _, serial = name.rpartition("#")
    return x509.Name.from_rfc4514_string(issuer), int(serial, 16)


def read_identity(certificate: x509.Certificate) -> CertificateIdentity:
    """Read who a certificate names; the caller says whether the certificate is trusted.

    Args:
        certificate: a leaf certificate.

    Raises:
        MalformedEvidence: `invalid_certificate` for anything but exactly one name, an issuer that
            is missing or contradictory, or a claim that is not a UTF-8 string.

    Source: sigstore/fulcio, docs/oid-info.md and docs/certificate-specification.md; step 3.
    """
    try:
        extensions = certificate.extensions
    except (ValueError, x509.UnsupportedGeneralNameType, x509.DuplicateExtension) as error:
        raise _bad(f"extensions cannot be read: {error}") from None
    subject, kind = _subject(extensions)
    claims: dict[str, str] = {}
    for extension in extensions:
        arc = _ARCS.get(extension.oid)
        if arc is not None and isinstance(extension.value, x509.UnrecognizedExtension):
            name = CLAIMS[arc]
            claims[name] = _text(extension.value.value, raw=arc <= _RAW_UP_TO, name=name)
    issuer = claims.get("issuer", claims.get("issuer-v1"))
    if not issuer:
        raise _bad("names no OIDC issuer")
    if claims.get("issuer-v1", issuer) != issuer:
        raise _bad("names two different OIDC issuers")
    return CertificateIdentity(subject=subject, kind=kind, issuer=issuer, claims=claims)


def _subject(extensions: x509.Extensions) -> tuple[str, SubjectKind]:
    try:
        names = list(extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        raise _bad("has no subject alternative name") from None
    if len(names) != 1:
        raise _bad(f"has {len(names)} subject alternative names, not one")
    name = names[0]
    if isinstance(name, x509.RFC822Name) and name.value:
        return name.value, "email"
    if isinstance(name, x509.UniformResourceIdentifier) and name.value:
        return name.value, "uri"
    if isinstance(name, x509.OtherName) and name.type_id == _USERNAME:
        username = _text(name.value, raw=False, name="user name")
        if username:
            return username, "username"
    raise _bad("its subject alternative name is no e-mail, URI or user name")


def _text(value: bytes, *, raw: bool, name: str) -> str:
    try:
        return value.decode("utf-8") if raw else decode_der(str, value)
    except (ValueError, UnicodeDecodeError):
        raise _bad(f"claim {name} is not a UTF-8 string") from None


def _bad(message: str) -> MalformedEvidence:
    return MalformedEvidence(_CODE, message, where="certificate", rule="step 3")
