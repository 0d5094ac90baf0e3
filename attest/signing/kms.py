"""Keys that never leave a token or a service, by URI: `securesystemslib` speaks to each."""

from __future__ import annotations

import copy
import re
import threading
from base64 import b64decode
from collections.abc import Callable
from typing import TYPE_CHECKING, Never
from urllib.parse import parse_qsl, urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from attest.errors import AttestError, SigningError, UsageError
from attest.keys import PublicKey
from attest.signing.failures import redact, unreachable
from attest.signing.keyfile import Passphrase

if TYPE_CHECKING:
    from securesystemslib.signer import Key, Signer, SSlibKey

#: Scheme, which is also the name of the extra to install, and how its URIs look.
SCHEMES: dict[str, str] = {
    "hsm": "hsm:[KEYID][?label=TOKEN]",
    "awskms": "awskms:KEY-ID-OR-ARN-OR-ALIAS",
    "gcpkms": "gcpkms:projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/V",
    "azurekms": "azurekms://VAULT.vault.azure.net/keys/NAME[/VERSION]",
    "hashivault": "hashivault:NAME[/VERSION]",
}
#: A scheme has two characters or more: one letter is a drive.
_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(.*)", re.DOTALL)
_CURVES = ("secp256r1", "secp384r1")
_GOOGLE = re.compile(
    r"projects/[^/\s]+/locations/[^/\s]+/keyRings/[\w-]+/cryptoKeys/[\w-]+/cryptoKeyVersions/\d+",
    re.ASCII,
)


def scheme_of(reference: str) -> str | None:
    """The scheme of a key's URI; None for the path of a file."""
    match = _URI.fullmatch(reference)
    return match.group(1).lower() if match else None


class ServiceKey:
    """A key in a token or service.

    Args:
        uri: where it is; shown in errors.
        public: its public half.
        signer: has it sign.
        pin: the PIN, once it was asked for; it is removed from what is told of a failure.
    """

    __slots__ = ("_failed", "_lock", "_pin", "_signer", "_uri", "public")

    def __init__(self, *, uri: str, public: PublicKey, signer: Signer, pin: Pin) -> None:
        self.public = public
        self._uri = uri
        self._signer = signer
        self._pin = pin
        self._failed: AttestError | None = None
        # A token knows one login for all threads, and not every SDK's client is for several.
        self._lock = threading.Lock()

    @property
    def takes_digests(self) -> bool:
        """Never: the interface of these signers takes messages."""
        return False

    def sign(self, message: bytes) -> bytes:
        """Have the service sign a message.

        Raises:
            UsageError: `pin_missing`, `pin_wrong`.
            SigningError: `key_service_failed`.
        """
        with self._lock:
            if self._failed is not None:  # a PIN that was wrong is not tried again: tokens lock
                raise copy.copy(self._failed)
            try:
                return bytes.fromhex(self._signer.sign(message).signature)
            # Every SDK has errors of its own.
            except Exception as error:  # noqa: BLE001
                failure = _failure(error, self._uri, self._pin)
                if failure.code in ("pin_wrong", "pin_missing"):
                    self._failed = copy.copy(failure)
                raise failure from None

    def sign_digest(self, digest: bytes) -> Never:
        """Refuse: the interface of these signers takes messages."""
        raise ValueError(f"takes messages, not digests of {len(digest)} bytes")


class Pin:
    """Asks for the PIN once, and keeps it out of every text."""

    __slots__ = ("_ask", "_value")

    def __init__(self, ask: Passphrase) -> None:
        self._ask = ask
        self._value: str | None = None

    def __call__(self, _name: str) -> str:
        """The PIN, as `securesystemslib` asks for it.

        Raises:
            UsageError: `pin_missing`, `pin_wrong`.
        """
        if self._value is None:
            try:
                self._value = self._ask().decode("utf-8")
            except UsageError as error:
                if error.code != "passphrase_missing":
                    raise
                raise UsageError(
                    "pin_missing",
                    "the token asks for its PIN, and none was given",
                    hint="set ATTEST_KEY_PASSPHRASE, or use --passphrase-file",
                ) from None
            except UnicodeDecodeError:
                raise UsageError(
                    "pin_wrong", "the PIN is no UTF-8 text", hint="check where it comes from"
                ) from None
        return self._value

    @property
    def secrets(self) -> list[str]:
        """What must not show in any text."""
        return [] if self._value is None else [self._value]


def open_service_key(uri: str, pin: Passphrase) -> ServiceKey:
    """Find a key by its URI, and get its public half.

    Args:
        uri: of one of `SCHEMES`.
        pin: gives the PIN of a hardware token when it is needed.

    Raises:
        UsageError: `unknown_key_scheme`, `invalid_key_uri`, `extra_missing`,
            `unsupported_key_kind`, `pin_missing`, `pin_wrong`.
        SigningError: `key_service_failed`.
    """
    scheme = scheme_of(uri)
    if scheme not in SCHEMES:
        extras = ", ".join(f"{name} (epack-attest[{name}])" for name in SCHEMES)
        raise UsageError(
            "unknown_key_scheme",
            f"there are no keys by {scheme}:",
            where=uri,
            hint=f"known are {extras}; a file whose name looks like this is written ./NAME",
        )
    held = Pin(pin)
    try:
        found, key = _FINDERS[scheme](uri, held)
        public = _public(key, uri)
        from securesystemslib.signer import Signer

        signer = Signer.from_priv_key_uri(found, key, held)
    # Every SDK has errors of its own.
    except Exception as error:  # noqa: BLE001
        raise _failure(error, uri, held) from None
    return ServiceKey(uri=uri, public=public, signer=signer, pin=held)


def _hsm(uri: str, pin: Pin) -> tuple[str, SSlibKey]:
    from securesystemslib.signer import HSMSigner

    parts = urlsplit(uri)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if parts.netloc or options.keys() - {"label"} or not re.fullmatch(r"\d{0,9}", parts.path):
        raise _invalid(uri)
    number = int(parts.path) if parts.path else None
    found, key = HSMSigner.import_(number, options.get("label"), pin)
    return found, key


def _aws(uri: str, _pin: Pin) -> tuple[str, SSlibKey]:
    from securesystemslib.signer import AWSSigner

    return AWSSigner.import_(_rest(uri))


def _gcp(uri: str, _pin: Pin) -> tuple[str, SSlibKey]:
    from securesystemslib.signer import GCPSigner

    name = _rest(uri)
    # It asks for anything else for a minute before it says that there is no such thing.
    if not _GOOGLE.fullmatch(name):
        raise _invalid(uri)
    return GCPSigner.import_(name)


def _azure(uri: str, _pin: Pin) -> tuple[str, SSlibKey]:
    from securesystemslib.signer import AzureSigner

    match = re.fullmatch(r"//([\w-]+)\.vault\.azure\.net/keys/([\w-]+)(?:/(\w+))?", _rest(uri))
    if match is None:
        raise _invalid(uri)
    vault, name, version = match.groups()
    found, key = AzureSigner.import_(vault, name)
    if version is not None and not found.endswith(f"/{version}"):
        raise UsageError(
            "invalid_key_uri",
            "names another version than the current one, which alone can be used",
            where=uri,
            hint=f"name {found}",
        )
    return found, key


def _vault(uri: str, _pin: Pin) -> tuple[str, SSlibKey]:
    """As `VaultSigner.import_`, which reads Ed25519 keys alone."""
    from securesystemslib.signer import SSlibKey

    try:
        import hvac
    except ImportError:
        raise _extra_missing(uri) from None
    match = re.fullmatch(r"([\w.-]+)(?:/(\d{1,9}))?", _rest(uri))
    if match is None:
        raise _invalid(uri)
    name, version = match.groups()
    data = hvac.Client().secrets.transit.read_key(name)["data"]
    version = version or max(data["keys"], key=int)
    text: str = data["keys"][version]["public_key"]
    public = (
        Ed25519PublicKey.from_public_bytes(b64decode(text))
        if data["type"] == "ed25519"
        else load_pem_public_key(text.encode())
    )
    # It would have Vault sign a SHA-256, which is not how P-384 signs.
    if isinstance(public, ec.EllipticCurvePublicKey) and public.curve.name != "secp256r1":
        raise _unsupported(uri, "use ECDSA P-256 or Ed25519 there")
    return f"hv:{name}/{version}", SSlibKey.from_crypto(public)


_FINDERS: dict[str, Callable[[str, Pin], tuple[str, SSlibKey]]] = {
    "hsm": _hsm,
    "awskms": _aws,
    "gcpkms": _gcp,
    "azurekms": _azure,
    "hashivault": _vault,
}


def _rest(uri: str) -> str:
    rest = uri.partition(":")[2]
    if not rest:
        raise _invalid(uri)
    return rest


def _public(key: Key, uri: str) -> PublicKey:
    """The public half, which `SSlibKey` holds as PEM, or as hex for Ed25519."""
    text = str(key.keyval["public"])
    if key.scheme == "ed25519":
        return PublicKey(Ed25519PublicKey.from_public_bytes(bytes.fromhex(text)))
    public = load_pem_public_key(text.encode())
    if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name not in _CURVES:
        raise _unsupported(uri, "use ECDSA P-256 or P-384")
    return PublicKey(public)


def _failure(error: Exception, uri: str, pin: Pin) -> AttestError:
    """What an SDK raised, as our own error without secrets."""
    from securesystemslib.exceptions import UnsupportedAlgorithmError, UnsupportedLibraryError

    if isinstance(error, AttestError):
        error.where = error.where or uri
        return error
    if isinstance(error, UnsupportedLibraryError):
        return _extra_missing(uri)
    kind = type(error).__name__
    # What it raises for Azure has no public name.
    if isinstance(error, UnsupportedAlgorithmError) or kind == "UnsupportedKeyType":
        return _unsupported(uri, "use ECDSA P-256 or P-384")
    if kind in ("PinIncorrect", "PinInvalid", "PinLenRange", "PinLocked"):  # of `pkcs11`
        return UsageError(
            "pin_wrong",
            f"the token refuses the PIN ({kind})",
            where=uri,
            hint="check it before you try again: a token locks after a few wrong ones",
        )
    said = redact(str(error), pin.secrets)
    why = f"{kind}{': ' if said else ''}{said}"
    # What Vault's client lets through quotes its own inner workings at length.
    if kind in ("ConnectionError", "ConnectTimeout", "ReadTimeout"):
        away = unreachable(error, "its service")
        why = why if away is None else away.message
    return SigningError(
        "key_service_failed",
        f"the key cannot be used: {why}",
        where=uri,
        hint=f"check the URI ({SCHEMES[scheme_of(uri) or 'hsm']}), and what that service's own"
        " client takes from the environment",
    )


def _extra_missing(uri: str) -> UsageError:
    extra = scheme_of(uri)
    return UsageError(
        "extra_missing",
        f"what speaks to keys by {extra}: is not installed",
        where=uri,
        hint=f"install it: python -m pip install 'epack-attest[{extra}]'",
    )


def _unsupported(uri: str, hint: str) -> UsageError:
    return UsageError(
        "unsupported_key_kind", "is of a kind that cannot sign here", where=uri, hint=hint
    )


def _invalid(uri: str) -> UsageError:
    return UsageError(
        "invalid_key_uri",
        "is no URI of such a key",
        where=uri,
        hint=f"write {SCHEMES[scheme_of(uri) or 'hsm']}",
    )
