"""The one error tree: every failure has a stable code and an exit code.

AttestError
├── verdicts about evidence (exit 1)
│   ├── MalformedEvidence      the evidence breaks its format
│   ├── VerificationFailed     a signature, proof or time does not verify
│   │   └── Untrusted          issued by nobody in the trusted root
│   └── PolicyViolation        verified, but not by whom the policy requires
└── no verdict (exit 2)
    ├── UsageError             the call itself is wrong, or a file cannot be read
    ├── PolicyFileError        the policy file is wrong
    ├── TrustError             no usable trust material
    ├── NetworkError           a service could not be reached
    └── SigningError           a service or key refused to sign
"""

from __future__ import annotations

from typing import ClassVar, Literal

EXIT_OK: int = 0
EXIT_VERDICT: int = 1
EXIT_NO_VERDICT: int = 2


#: Codes of evidence that may be well made and is only larger than allowed.
_LIMITS = frozenset(
    {
        "artifact_too_large",
        "bundle_too_large",
        "json_too_deep",
        "manifest_too_large",
        "pack_too_large",
        "too_many_artifacts",
        "too_many_attestations",
        "too_many_bundles",
        "too_many_entries",
    }
)
_ADVICE_OF_LIMITS = "if you expect evidence as large as this, raise the limit with --limit"


class AttestError(Exception):
    """Base of every error that this package raises on purpose.

    Args:
        code: stable snake_case name; what programs and tests match on.
        message: what was wrong, in one line; untrusted text in it may be raw, renderers escape it.
            Whatever is shaped like an identity token is taken out, of `where` too.
        hint: what the reader can do next.
        where: entry name, JSON path or step in which it happened.
        rule: rule of the published document (`R-049`) or step of the engine (`step 5`).
    """

    exit_code: ClassVar[Literal[1, 2]] = 2
    #: What to do where neither the error nor its code has a hint.
    usual_advice: ClassVar[str | None] = None

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str | None = None,
        where: str | None = None,
        rule: str | None = None,
    ) -> None:
        message = without_tokens(message)
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.where = where and without_tokens(where)
        self.rule = rule
        #: The full report of the verification that ended in this error; set by `attest.verify`.
        self.report: object | None = None
        #: Those of all targets, where one call verified several; set by `attest.verify_artefacts`.
        self.reports: tuple[object, ...] = ()

    @property
    def advice(self) -> str | None:
        """What to do where the error itself has no hint."""
        return _ADVICE_OF_LIMITS if self.code in _LIMITS else self.usual_advice

    def __reduce__(self) -> tuple[object, ...]:
        """Reach another process as it is; exceptions are otherwise made anew of their message."""
        # Its members as state: a report among them holds the error itself.
        return _error_of, (type(self), str(self.args[0])), self.__dict__

    def __str__(self) -> str:
        place = f" ({self.where})" if self.where else ""
        return f"{self.code}: {self.message}{place}"


class MalformedEvidence(AttestError):
    """The evidence does not follow its published format."""

    exit_code: ClassVar[Literal[1, 2]] = 1
    usual_advice = "do not use it: it is damaged or wrongly made; ask whoever made it for a new one"


class VerificationFailed(AttestError):
    """A signature, proof, time or digest does not verify."""

    exit_code: ClassVar[Literal[1, 2]] = 1
    usual_advice = "do not trust it: it was changed, or is not what it claims to be"


class Untrusted(VerificationFailed):
    """Issued by nobody in the trusted root: neither good nor broken, it counts for nothing."""


class PolicyViolation(AttestError):
    """The evidence verifies, but not as the policy requires."""

    exit_code: ClassVar[Literal[1, 2]] = 1


class UsageError(AttestError):
    """The call is wrong, or an input cannot be read: no verdict."""


class PolicyFileError(AttestError):
    """The policy file is wrong: no verdict."""


class TrustError(AttestError):
    """There is no usable trust material: no verdict."""

    usual_advice = "get it again from whoever runs the instance"


class NetworkError(AttestError):
    """A service could not be reached: no verdict."""


class SigningError(AttestError):
    """A signing service, identity or key refused."""


def without_tokens(text: str) -> str:
    """Text with everything in it that is shaped like a JSON Web Token, whole or cut, taken out."""
    if "eyJ" not in text:
        return text
    import re

    return re.sub(r"eyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*){0,4}", "[token]", text)


def _error_of(kind: type[AttestError], message: str) -> AttestError:
    return kind("", message)
