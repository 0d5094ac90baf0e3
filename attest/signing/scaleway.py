"""A key in Scaleway's Key Manager, which is asked for its public half and for signatures.

What it returns counts only once it has been verified with that public half.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from attest.connections import Request
from attest.errors import MalformedEvidence, NetworkError, SigningError, UsageError
from attest.http import require_https
from attest.keys import PublicKey
from attest.publickey import parse_public_key
from attest.signing.failures import redact
from attest.signing.transport import Patience, Transport, refusal
from attest.strictjson import Members, loads

_API_URL = "https://api.scaleway.com"
_SERVICE = "Scaleway's Key Manager"
#: Both become parts of a path.
_REGION = re.compile(r"[a-z]{2}-[a-z]{3}")
_KEY_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_ORIGIN = re.compile(r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?/?")
#: What a header may hold: a client that finds anything else shows the whole value.
_TOKEN = re.compile(r"[\x21-\x7e]{1,1000}")
_HINTS = {
    400: "check that the key is there to sign with ec_p256_sha256, and is enabled",
    401: "check SCW_SECRET_KEY",
    403: "check SCW_SECRET_KEY, and that whoever it belongs to may sign with this key",
    404: "check SEI_SCALEWAY_KEY_ID and SCW_DEFAULT_REGION",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyLocation:
    """Where a key is, by its region and id (UUID), and the secret that opens it."""

    region: str
    key_id: str
    secret: str = field(repr=False)
    api_url: str = _API_URL

    def __str__(self) -> str:
        return f"{_SERVICE}, key {self.key_id} in {self.region}"


def read_location(environ: Mapping[str, str]) -> KeyLocation:
    """Where the environment says that the key is.

    Args:
        environ: the environment: `SCW_SECRET_KEY`, `SCW_DEFAULT_REGION`, `SEI_SCALEWAY_KEY_ID`,
            and `SCW_API_URL` where it is not Scaleway's own.

    Raises:
        UsageError: `setting_missing`, `invalid_setting`.
    """
    location = KeyLocation(
        region=_setting(environ, "SCW_DEFAULT_REGION", _REGION, "a region, as fr-par"),
        key_id=_setting(
            environ, "SEI_SCALEWAY_KEY_ID", _KEY_ID, "the key's id, a UUID in lowercase"
        ),
        secret=_setting(environ, "SCW_SECRET_KEY", _TOKEN, "the secret half of an API key"),
        api_url=_api_url(environ),
    )
    # Both are UUIDs; an id is shown, and is in the URL.
    if location.key_id == location.secret.lower():
        raise UsageError(
            "invalid_setting",
            "is the secret key, where the id of a key in the Key Manager belongs",
            where="SEI_SCALEWAY_KEY_ID",
            hint="set it to the id that the Key Manager shows, and keep the secret to yourself",
        )
    return location


@contextmanager
def open_scaleway_key(
    location: KeyLocation, *, patience: Patience | None = None
) -> Iterator[ScalewayKey]:
    """Open a key, which asks for its public half.

    Args:
        location: where it is.
        patience: how long to try.

    Raises:
        UsageError: `unsupported_key_kind`, for one that Sigstore does not use; `open_backend`
            refuses all others than P-256.
        SigningError: `key_service_failed`.
        NetworkError: those of `Transport.ask`.
    """
    with Transport(patience) as transport:
        api = _KeyApi(location, transport)
        yield ScalewayKey(api.public_key(), api)


class ScalewayKey:
    """Has Scaleway's Key Manager sign; any number of threads may use one.

    Args:
        public: its public half.
        api: speaks to the service.
    """

    __slots__ = ("_api", "public")

    def __init__(self, public: PublicKey, api: _KeyApi) -> None:
        self.public = public
        self._api = api

    @property
    def takes_digests(self) -> bool:
        """Always: the service is sent nothing else."""
        return True

    def sign(self, message: bytes) -> bytes:
        """Sign a message (DER), of which the service is sent the SHA-256.

        Raises:
            SigningError, NetworkError: those of `sign_digest`.
        """
        return self.sign_digest(hashlib.sha256(message).digest())

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign a message (DER) by its raw SHA-256.

        Raises:
            SigningError: `key_service_failed`, `key_signature_malformed`,
                `key_signature_invalid`.
            NetworkError: those of `Transport.ask`.
        """
        signature = self._api.signature(digest)
        try:
            self.public.verify_digest(signature, digest)
        except InvalidSignature:
            raise SigningError(
                "key_signature_invalid",
                "what the service returned is no signature by this key",
                where=str(self._api.location),
                hint="sign again, in case the key was rotated just now; then ask the service",
            ) from None
        return signature


class _KeyApi:
    """The two requests that are made, of version v1alpha1.

    Source: Scaleway's developer documentation, Key Manager API: "Get the public key", "Sign".
    """

    __slots__ = ("_transport", "location")

    def __init__(self, location: KeyLocation, transport: Transport) -> None:
        self.location = location
        self._transport = transport

    def public_key(self) -> PublicKey:
        """The public half, of whatever kind it is.

        Raises:
            UsageError, SigningError, NetworkError: as for `open_scaleway_key`.
        """
        with self._documented():
            pem = self._ask("GET", "public-key").string("pem")
        try:
            return parse_public_key(pem.encode("utf-8"), where=str(self.location))
        except UsageError as error:
            if error.code == "unsupported_key_kind":
                raise
            raise self._failed(f"its public key {error.message}") from None

    def signature(self, digest: bytes) -> bytes:
        """A signature (DER) over a raw SHA-256, which nobody has verified yet.

        Raises:
            SigningError: `key_service_failed`, `key_signature_malformed`.
            NetworkError: those of `Transport.ask`.
        """
        body = json.dumps({"digest": b64encode(digest).decode("ascii")}).encode("ascii")
        with self._documented():
            signature = self._ask("POST", "sign", body).base64("signature")
        if not _is_der(signature):
            raise SigningError(
                "key_signature_malformed",
                "what the service returned is no ECDSA signature in DER",
                where=str(self.location),
                hint="check that the key is of ec_p256_sha256, then ask the service",
            )
        return signature

    def _ask(self, method: Literal["GET", "POST"], action: str, body: bytes = b"") -> Members:
        """The answer; asked for again where it failed: one signature more is stored nowhere."""
        at = self.location
        request = Request(
            url=f"{at.api_url}/key-manager/v1alpha1/regions/{at.region}/keys/{at.key_id}/{action}",
            method=method,
            body=body,
            headers={"X-Auth-Token": at.secret, "Content-Type": "application/json"},
        )
        try:
            reply = self._transport.ask(request, service=_SERVICE, repeatable=True)
        except NetworkError as error:
            error.hint = "check the network and SCW_API_URL, then try again; nothing was written"
            raise
        if reply.status != 200:
            raise self._failed(refusal(reply, [at.secret]), _HINTS.get(reply.status))
        return Members(loads(reply.body, where="answer"), where="answer", code="invalid_type")

    @contextmanager
    def _documented(self) -> Iterator[None]:
        try:
            yield
        except MalformedEvidence as error:
            raise self._failed(f"it answers otherwise than documented: {error}") from None

    def _failed(self, message: str, hint: str | None = None) -> SigningError:
        return SigningError(
            "key_service_failed",
            redact(message, [self.location.secret]),
            where=str(self.location),
            hint=hint or "sign again later; if it stays so, ask the service",
        )


def _is_der(signature: bytes) -> bool:
    try:
        decode_dss_signature(signature)
    except ValueError:
        return False
    return True


def _setting(environ: Mapping[str, str], name: str, form: re.Pattern[str], what: str) -> str:
    """A variable of a form; its value is in no error."""
    value = environ.get(name)
    if not value:
        raise UsageError(
            "setting_missing",
            "is not set, and a key in Scaleway's Key Manager needs it",
            where=name,
            hint=f"set it to {what}",
        )
    if not form.fullmatch(value):
        raise UsageError("invalid_setting", f"is not {what}", where=name)
    return value


def _api_url(environ: Mapping[str, str]) -> str:
    """Where the service is.

    Raises:
        UsageError: `invalid_setting`, for all but https, or http to loopback, and a host alone.
    """
    url = environ.get("SCW_API_URL") or _API_URL
    if not _is_origin(url):
        raise UsageError(
            "invalid_setting",
            "is not the https URL of a host alone",
            where="SCW_API_URL",
            hint=f"give it as {_API_URL}; http goes to a loopback address only",
        )
    return url.rstrip("/")


def _is_origin(url: str) -> bool:
    """Whether a URL is one of a host to which a secret may be sent, and nothing more."""
    if not _ORIGIN.fullmatch(url):
        return False
    try:
        return urlsplit(require_https(url)).port != 0
    except (NetworkError, ValueError):  # the latter for a port that no machine has
        return False
