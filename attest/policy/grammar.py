"""The grammar of policy files as one table: what loads them and their JSON Schema both read it."""

from __future__ import annotations

from attest.claims import CLAIMS
from attest.limits import MAX_SAFE_INTEGER
from attest.policy.issuers import ISSUERS, PER_ORGANIZATION
from attest.policy.match import MAX_PATTERN
from attest.policy.shapes import (
    LINE,
    LINES,
    Choice,
    Either,
    Field,
    Listed,
    Named,
    Object,
    Text,
    Whole,
)

NAME = Text(
    pattern=r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}",
    form="a name: up to 64 letters, digits, '.', '_' and '-', a letter or digit first",
)
TIME = Text(
    pattern=(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?"
        r"(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
    ),
    form="a time of RFC 3339, as 2027-06-30T00:00:00Z",
)
DURATION = Text(
    pattern=r"[1-9][0-9]{0,4}[dhms]",
    form="a whole number of days, hours, minutes or seconds, as 90d, 12h, 30m or 45s",
)
DEMAND = Text(words=("required", "optional"), pattern=None)
SHA256 = r"[0-9a-f]{64}"
#: A path below the folder of the policy file; its parts are judged by attest.policy.load.
_IN_PATH = r"[^\u0000-\u001f\u007f\\:]"
_PATH = rf"[^\u0000-\u001f\u007f/\\:]{_IN_PATH}*"

_WINDOW = (
    Field(name="not-before", shape=TIME, about="Signatures made earlier do not count."),
    Field(name="not-after", shape=TIME, about="Signatures made later do not count."),
)
_REGEX = Object(
    what="a regular expression",
    fields=(
        Field(
            name="regex",
            shape=Text(max_length=MAX_PATTERN),
            about="A regular expression (RE2) that must match the whole value.",
            required=True,
        ),
    ),
)


def _patterns(pattern: str, form: str, *, digits: bool = False) -> Listed:
    """One or more acceptable values: texts, exact or globs, or regular expressions."""
    text = Text(pattern=pattern, form=form, max_length=MAX_PATTERN, digits=digits)
    return Listed(item=Either(text=text, object=_REGEX), single=True)


_PATTERNS = (
    "One value or a list of them, each exactly as written; * stands for anything but '/', and ** "
    "for anything. {regex: …} must match the whole value."
)
_ANY = _patterns(LINE, "one line of text")
_ID = _patterns(LINE, "one line of text", digits=True)
_EMAIL = _patterns(r"[^@\s\u0000-\u001f]+@[^@\s\u0000-\u001f]+", "user@domain")
_REPOSITORY = _patterns(
    r"[^:/\s\u0000-\u001f]+(/[^:/\s\u0000-\u001f]+)+", "owner/name, without the host"
)
_WORKFLOW = _patterns(
    r"[^:/@\u0000-\u001f\u007f][^:@\u0000-\u001f\u007f]*",
    "the path of a file in the repository, as .github/workflows/release.yml",
)

#: Fields of a signer that match its certificate.
MATCHED = (
    Field(name="subject", shape=_ANY, about="The subject alternative name as it stands."),
    Field(name="email", shape=_EMAIL, about="A person's e-mail address."),
    Field(name="repository", shape=_REPOSITORY, about="The source repository, owner/name."),
    Field(
        name="repository-id", shape=_ID, about="The repository's number, which survives renames."
    ),
    Field(name="owner-id", shape=_ID, about="The number of the repository's owner."),
    Field(
        name="workflow",
        shape=_WORKFLOW,
        about="The workflow that ran, by its path in `repository`; a reusable workflow of another "
        "repository must be named by the fields signer-….",
    ),
    Field(name="ref", shape=_ANY, about="The branch or tag, as refs/heads/main or refs/tags/v*."),
    Field(name="commit", shape=_ANY, about="The commit of the source."),
    Field(
        name="signer-repository",
        shape=_REPOSITORY,
        about="The repository of the reusable workflow that signed, owner/name.",
    ),
    Field(
        name="signer-workflow",
        shape=_WORKFLOW,
        about="The reusable workflow that signed, by its path in `signer-repository`.",
        needs="signer-repository",
    ),
    Field(
        name="signer-ref",
        shape=_ANY,
        about="The branch, tag or commit of the reusable workflow.",
        needs="signer-repository",
    ),
    Field(name="runner", shape=_ANY, about="Where it ran: github-hosted or self-hosted."),
    Field(name="trigger", shape=_ANY, about="The event that started the workflow, as push."),
    Field(name="visibility", shape=_ANY, about="The repository's visibility: public or private."),
    Field(name="environment", shape=_ANY, about="The deployment environment."),
)
CLAIM_RULES = Object(
    what="claims",
    fields=tuple(
        Field(name=name, shape=_ANY, about=f"The certificate extension {arc} of Fulcio.")
        for arc, name in CLAIMS.items()
    ),
)
CERTIFICATE_SIGNER = Object(
    what="a signer by certificate",
    fields=(
        Field(
            name="issuer",
            shape=Text(
                words=tuple(ISSUERS),
                pattern=(
                    r"https://[^\s\u0000-\u001f*?#@]+"
                    r"|http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?(/[^\s\u0000-\u001f*?#@]*)?"
                ),
                form="an alias or an https URL, without patterns",
                instead=tuple(
                    (name, f"the URL of your organization's own, as {url}")
                    for name, url in PER_ORGANIZATION.items()
                ),
            ),
            about="Who vouched for the identity: an alias or the URL of the OIDC issuer, exactly.",
            required=True,
        ),
        *MATCHED,
        Field(name="claims", shape=CLAIM_RULES, about="Any extension of the certificate, by name."),
        *_WINDOW,
    ),
    one_of=(*(field.name for field in MATCHED), "claims"),
)
KEY_SIGNER = Object(
    what="a signer by key",
    fields=(
        Field(
            name="key",
            shape=Text(
                pattern=rf"\s*-----BEGIN [\s\S]+|{_PATH}",
                form="a path below this file's folder, a public key in PEM, or a point in hex",
                max_length=16_384,
            ),
            about="The public key: a path below this file's folder, the PEM itself, or the 130 hex"
            " digits of a P-256 key's point.",
            required=True,
        ),
        *_WINDOW,
    ),
)
#: Of this grammar, and of that of test cases.
VERSION = Field(
    name="version",
    shape=Whole(minimum=1, maximum=1),
    about="The version of this grammar.",
    required=True,
)
_AT_LEAST = Object(
    what="a requirement",
    fields=(
        Field(
            name="at-least",
            shape=Whole(minimum=1, maximum=256),
            about="How many different people, workflows or keys.",
            required=True,
        ),
        Field(
            name="of",
            shape=Listed(item=NAME, single=True),
            about="Names of signers.",
            required=True,
        ),
    ),
)
EVIDENCE = Object(
    what="evidence",
    fields=(
        Field(name="stream", shape=_ANY, about="The stream of the pack, as acme/prod."),
        Field(
            name="predicate-type",
            shape=Listed(
                item=Text(pattern=r"[^\s*\u0000-\u001f]+", form="a URI, without patterns"),
                single=True,
            ),
            about="Acceptable predicate types of the statements, exactly.",
        ),
        Field(name="max-age", shape=DURATION, about="How old the signatures may be."),
    ),
)


_ADDRESS = "[!$-)+-?A-~]+"
_URL = r"https?://[^#*\s]+"
_NAMED = r"[^*\u0000-\u001f\u007f]+"


def _revoked(pattern: str, form: str) -> Listed:
    value = Text(pattern=pattern, form=form)
    since = Object(
        what="a revoked thing",
        fields=(
            Field(name="value", shape=value, about=f"Revoked: {form}.", required=True),
            Field(
                name="since",
                shape=TIME,
                about="From when on; earlier signatures still count.",
                required=True,
            ),
        ),
    )
    return Listed(item=Either(text=value, object=since), empty=True)


REVOKED = Object(
    what="revoked",
    fields=(
        Field(
            name="keys",
            shape=_revoked(SHA256, "the SHA-256 of a key, 64 lowercase hex digits"),
            about="Keys, by the SHA-256 of the SPKI (or of the SEC1 point), in hex.",
        ),
        Field(
            name="certificates",
            shape=_revoked(
                rf"{SHA256}|[^\u0000-\u001f\u007f]*=[^\u0000-\u001f\u007f]*#[1-9a-f][0-9a-f]*",
                "the SHA-256 of a TBS certificate in hex, or ISSUER#SERIAL as CN=ca,O=acme#1f, "
                "in lowercase hex without zeros in front",
            ),
            about="Certificates, by the SHA-256 of the TBS in hex, or as ISSUER#SERIAL: the "
            "issuer's name as in RFC 4514, and the serial number in hex.",
        ),
        Field(
            name="identities",
            shape=_revoked(
                # Nothing that looks like a revocation and is none: a pattern, an alias of an
                # issuer, or letters that no certificate has in an address.
                rf"(email:{_ADDRESS}@{_ADDRESS}|key:{SHA256}"
                rf"|workflow:{_URL}#[^#*\s]+#{_NAMED}|subject:{_URL}#{_NAMED})",
                "a principal as reports name it, without patterns: email:a@b.example, key:…, "
                "workflow:URL#…#… or subject:URL#…, with the URL of its issuer",
            ),
            about="People, keys and workflows, by the principal that a report gives.",
        ),
        Field(
            name="log-entries",
            shape=_revoked(SHA256, "the leaf hash of a log entry, 64 lowercase hex digits"),
            about="Log entries, by leaf hash in hex.",
        ),
    ),
)
POLICY = Object(
    what="a policy",
    fields=(
        VERSION,
        Field(
            name="description",
            shape=Text(pattern=LINES, form="text", max_length=4_096),
            about="What this policy is for, for its readers.",
        ),
        Field(name="expires", shape=TIME, about="After this time the policy decides nothing."),
        Field(
            name="serial",
            shape=Whole(minimum=1, maximum=MAX_SAFE_INTEGER),
            about="Counts up with each signed edition, so that an older one cannot come back.",
        ),
        Field(
            name="trust",
            shape=Listed(
                item=Text(
                    pattern=rf"[A-Za-z0-9][A-Za-z0-9_.-]*|{_PATH}(/{_IN_PATH}*|\.json)",
                    form="the name of an instance, or the path of a trusted root below this file",
                ),
                single=True,
            ),
            about="Under which roots: names of instances, or paths of trusted roots (with a '/', "
            "or ending in .json) below this file's folder. Without it: sigstore.",
        ),
        Field(
            name="signers",
            shape=Named(
                name=NAME,
                value=Choice(key="key", present=KEY_SIGNER, absent=CERTIFICATE_SIGNER),
            ),
            about="Who may sign, each under a name of your choice.",
            required=True,
        ),
        Field(
            name="require",
            shape=Listed(item=Either(text=NAME, object=_AT_LEAST), repeats=True),
            about="Who must have signed. Every line must hold, each by somebody else.",
            required=True,
        ),
        Field(name="evidence", shape=EVIDENCE, about="What must hold of the evidence itself."),
        Field(
            name="log",
            shape=DEMAND,
            about="Whether signatures by keys need a log entry. Without it: required.",
        ),
        Field(
            name="timestamp",
            shape=DEMAND,
            about="Whether signatures by keys need a verified time. Without it: required.",
        ),
        Field(
            name="others",
            shape=Text(words=("report", "forbid"), pattern=None),
            about="What signatures by others do: stand in the report, or fail. Without it: report.",
        ),
        Field(name="revoked", shape=REVOKED, about="What no longer counts."),
    ),
)

#: Shapes that stand in several places, with the name under which the schema has them once.
DEFINITIONS = (
    Field(name="name", shape=NAME, about="The name of a signer."),
    Field(name="time", shape=TIME, about=f"{TIME.form[0].upper()}{TIME.form[1:]}."),
    Field(name="demand", shape=DEMAND, about="required or optional."),
    Field(name="regex", shape=_REGEX, about="A regular expression instead of a text."),
    Field(name="patterns", shape=_ANY, about=_PATTERNS),
    Field(name="ids", shape=_ID, about=_PATTERNS),
    Field(name="emails", shape=_EMAIL, about=_PATTERNS),
    Field(name="repositories", shape=_REPOSITORY, about=_PATTERNS),
    Field(name="workflows", shape=_WORKFLOW, about=_PATTERNS),
    Field(
        name="signer-by-certificate",
        shape=CERTIFICATE_SIGNER,
        about="People or workflows whose certificate meets every field.",
    ),
    Field(name="signer-by-key", shape=KEY_SIGNER, about="A key."),
    Field(
        name="requirement", shape=_AT_LEAST, about="So many different signers out of some rules."
    ),
)
