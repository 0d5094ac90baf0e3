"""The grammar of test cases of policies, as a table like that of the policies themselves."""

from __future__ import annotations

from attest.claims import CLAIMS
from attest.policy.grammar import (
    CERTIFICATE_SIGNER,
    KEY_SIGNER,
    MATCHED,
    NAME,
    SHA256,
    TIME,
    VERSION,
)
from attest.policy.shapes import Either, Field, Listed, Named, Object, Shape, Text, Whole

_PATH = Text(
    pattern=r"[^\u0000-\u001f\u007f/\\:][^\u0000-\u001f\u007f\\:]*",
    form="a path below this file's folder",
)
_NONE = "none"
#: What a signature may leave out of what it takes from the one that it is like.
_LEFT_OUT = (
    *(field.name for field in MATCHED),
    "claims",
    "at",
    "log",
    "log-entry",
    "predicate-type",
)


def _shape(fields: tuple[Field, ...], name: str) -> Shape:
    return next(field.shape for field in fields if field.name == name)


def _one_value(field: Field) -> Field:
    """A field of a signer as what one certificate says, where a rule has patterns."""
    listed = field.shape
    assert isinstance(listed, Listed)
    assert isinstance(listed.item, Either)
    return Field(name=field.name, shape=listed.item.text, about=field.about)


SIGNATURE = Object(
    what="a signature",
    fields=(
        Field(
            name="like",
            shape=NAME,
            about="A signature above, of which everything holds here too that is not said anew.",
        ),
        Field(
            name="without",
            shape=Listed(item=Text(words=_LEFT_OUT, pattern=None), single=True),
            about="What does not hold of what that signature says.",
        ),
        Field(
            name="key",
            shape=_shape(KEY_SIGNER.fields, "key"),
            about="The key that signed: a path below this file's folder, or the PEM itself.",
        ),
        Field(
            name="issuer",
            shape=_shape(CERTIFICATE_SIGNER.fields, "issuer"),
            about="Who vouched for the identity: an alias or the URL of the OIDC issuer.",
        ),
        *map(_one_value, MATCHED),
        Field(
            name="claims",
            shape=Object(
                what="claims",
                fields=tuple(
                    Field(name=name, shape=Text(), about=f"The certificate extension {arc}.")
                    for arc, name in CLAIMS.items()
                ),
            ),
            about="Any extension of the certificate, by name.",
        ),
        Field(
            name="at",
            shape=Text(words=(_NONE,), pattern=TIME.pattern, form=TIME.form),
            about="When it verifiably existed, or none. Without it: the case's `now`.",
        ),
        Field(
            name="log",
            shape=Text(words=("entry", _NONE), pattern=None),
            about="Whether it has a log entry. Without it: entry.",
        ),
        Field(
            name="log-entry",
            shape=Text(pattern=SHA256, form="64 lowercase hex digits"),
            about="The leaf hash of its log entry, in hex.",
        ),
        Field(
            name="predicate-type",
            shape=Text(words=(_NONE,), pattern=r"[^\s*\u0000-\u001f]+", form="a URI"),
            about="The predicate type of its statement, or none where it signs bytes. Without it: "
            "that of Evidence Packs.",
        ),
    ),
)
CASE = Object(
    what="a case",
    fields=(
        Field(
            name="signed",
            shape=Listed(item=NAME, single=True, empty=True, repeats=True),
            about="The names of the signatures that the evidence has.",
        ),
        Field(name="pack", shape=_PATH, about="A pack to verify, instead of `signed`."),
        Field(
            name="trusted-root",
            shape=_PATH,
            about="The trusted root for that pack. Without it: that of the public instance.",
        ),
        Field(name="now", shape=TIME, about="The time of the decision, instead of the file's."),
        Field(name="stream", shape=Text(), about="The stream of the pack."),
        Field(
            name="generated-at",
            shape=TIME,
            about="When the pack says that it was made. Without it the evidence is no pack.",
        ),
        Field(
            name="skipped",
            shape=Whole(minimum=0, maximum=1_000),
            about="How many signatures more there are, of instances or by keys not trusted.",
        ),
        Field(
            name="expect",
            shape=Text(pattern="[a-z0-9_]{1,64}", form="pass, or a stable error code"),
            about="The verdict: pass, or the stable error code.",
            required=True,
        ),
    ),
    one_of=("signed", "pack"),
)
CASES = Object(
    what="a file of test cases",
    fields=(
        VERSION,
        Field(
            name="policy", shape=_PATH, about="The policy, below this file's folder.", required=True
        ),
        Field(name="now", shape=TIME, about="The time of the decisions.", required=True),
        Field(
            name="signatures",
            shape=Named(name=NAME, value=SIGNATURE),
            about="Signatures that evidence may have, each under a name of your choice.",
        ),
        Field(
            name="cases",
            shape=Named(
                name=Text(form="a text of one line", max_length=200),
                value=CASE,
            ),
            about="What is decided on which evidence, each under what it shows.",
            required=True,
        ),
    ),
)
