"""Sign and verify evidence with identities instead of keys.

Every public name is loaded when it is first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attest.api.build import build as build
    from attest.api.diff import diff as diff
    from attest.api.extract import extract as extract
    from attest.api.fetch import fetch as fetch
    from attest.api.inspect import inspect as inspect
    from attest.api.key import generate_key as generate_key
    from attest.api.key import open_key as open_key
    from attest.api.merge import merge as merge
    from attest.api.sei import sign_artefact as sign_artefact
    from attest.api.sei import write_artefact as write_artefact
    from attest.api.sei_verify import verify_artefacts as verify_artefacts
    from attest.api.sign import Signed as Signed
    from attest.api.sign import sign as sign
    from attest.api.verify import verify as verify
    from attest.errors import AttestError as AttestError
    from attest.errors import MalformedEvidence as MalformedEvidence
    from attest.errors import NetworkError as NetworkError
    from attest.errors import PolicyFileError as PolicyFileError
    from attest.errors import PolicyViolation as PolicyViolation
    from attest.errors import SigningError as SigningError
    from attest.errors import TrustError as TrustError
    from attest.errors import Untrusted as Untrusted
    from attest.errors import UsageError as UsageError
    from attest.errors import VerificationFailed as VerificationFailed
    from attest.keys import PublicKey as PublicKey
    from attest.limits import Limits as Limits
    from attest.oidc import IdentityToken as IdentityToken
    from attest.pack.reader import open_pack as open_pack
    from attest.policy.model import Policy as Policy
    from attest.policy.model import Signer as Signer
    from attest.publickey import load_public_key as load_public_key
    from attest.report.model import Report as Report
    from attest.signing.instance import SigningInstance as SigningInstance
    from attest.trust.root import TrustRoot as TrustRoot

__version__ = "0.1.0"

_HOME = {
    "AttestError": "attest.errors",
    "IdentityToken": "attest.oidc",
    "Limits": "attest.limits",
    "MalformedEvidence": "attest.errors",
    "NetworkError": "attest.errors",
    "Policy": "attest.policy.model",
    "PolicyFileError": "attest.errors",
    "PolicyViolation": "attest.errors",
    "PublicKey": "attest.keys",
    "Report": "attest.report.model",
    "Signed": "attest.api.sign",
    "Signer": "attest.policy.model",
    "SigningError": "attest.errors",
    "SigningInstance": "attest.signing.instance",
    "TrustError": "attest.errors",
    "TrustRoot": "attest.trust.root",
    "Untrusted": "attest.errors",
    "UsageError": "attest.errors",
    "VerificationFailed": "attest.errors",
    "build": "attest.api.build",
    "diff": "attest.api.diff",
    "extract": "attest.api.extract",
    "fetch": "attest.api.fetch",
    "generate_key": "attest.api.key",
    "inspect": "attest.api.inspect",
    "load_public_key": "attest.publickey",
    "merge": "attest.api.merge",
    "open_key": "attest.api.key",
    "open_pack": "attest.pack.reader",
    "sign": "attest.api.sign",
    "sign_artefact": "attest.api.sei",
    "verify": "attest.api.verify",
    "verify_artefacts": "attest.api.sei_verify",
    "write_artefact": "attest.api.sei",
}

__all__ = ["__version__", *_HOME]  # noqa: PLE0604  # the table above is the one list of names


def __getattr__(name: str) -> object:
    """Load a public name from its module (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'attest' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
