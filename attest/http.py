"""HTTPS requests, to one address that was checked or by name, and URLs without their secrets."""

from __future__ import annotations

import io
import re
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import cast
from urllib.parse import SplitResult, urlsplit

from attest.addresses import Address, canonical_address
from attest.errors import NetworkError

#: For connecting, and for each silence of the server after that.
_SILENCE_SECONDS = 20.0
_CHUNK = 65_536
HTTPS = 443
#: Anything shaped like a JSON Web Token, which some services take within the path.
_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*)*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a server answered; `length` is what it promises, and `body` can be read once."""

    status: int
    location: str | None
    length: int | None
    body: Iterator[bytes]


def redact_url(url: str) -> str:
    """A URL fit for a message: no user information, no values of its query, no fragment.

    Source: Evidence Pack R-041e, R-062.
    """
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    query = "&".join(map(_redact_parameter, parts.query.split("&"))) if parts.query else ""
    return SplitResult(parts.scheme, place, _TOKEN.sub("REDACTED", parts.path), query, "").geturl()


def _redact_parameter(text: str) -> str:
    # What has no name may be the secret itself, `=` at its end being the padding of base64.
    name, _, value = text.partition("=")
    return f"{name}=REDACTED" if value.strip("=") else "REDACTED"


def ascii_host(host: str) -> str | None:
    """An international host name as resolvers know it (Punycode); None if it is no host name.

    Source: Evidence Pack R-041b; IDNA 2008 with the mapping of UTS 46.
    """
    from requests import Request, RequestException

    if host.isascii():
        return host
    try:
        return urlsplit(Request("GET", f"https://{host}/").prepare().url or "").hostname
    except (RequestException, ValueError):
        return None


def resolve(host: str, port: int) -> Sequence[Address]:
    """Every address that a host name leads to.

    Args:
        host: a name in ASCII.
        port: where to connect.

    Raises:
        NetworkError: `network_unreachable`.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NetworkError(
            "network_unreachable", "the host's name leads to no address", where=host
        ) from None
    return list(dict.fromkeys(canonical_address(str(entry[4][0])) for entry in found))


class _Pinned(HTTPSConnection):
    """A connection to an address that was checked, so that no second look-up can change it."""

    def __init__(
        self,
        host: str,
        port: int,
        addresses: Sequence[Address],
        deadline: float,
        context: ssl.SSLContext,
    ) -> None:
        super().__init__(host=host, port=port, timeout=_SILENCE_SECONDS, context=context)
        self._addresses = addresses
        self._deadline = deadline
        self._trust = context

    def connect(self) -> None:
        """Connect to the first address that answers; the certificate must be the host's."""
        failure = OSError("there is no address")
        for address in self._addresses:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            try:
                plain = socket.create_connection(
                    (str(address), self.port), min(_SILENCE_SECONDS, left)
                )
            except OSError as error:
                failure = error
                continue
            try:
                self.sock = self._trust.wrap_socket(plain, server_hostname=self.host)
            except BaseException:
                plain.close()
                raise
            return
        raise failure


@contextmanager
def get(
    url: str, *, host: str, addresses: Sequence[Address], deadline: float, authorities: Path | None
) -> Iterator[Answer]:
    """Ask for a URL at one of the given addresses, and at no other.

    Nothing is sent along: no credentials, cookies or `.netrc`. Proxies and certificate files that
    the environment names are not used, and redirects are not followed.

    Args:
        url: an https URL.
        host: its host in the canonical spelling, for which the server must have a certificate.
        addresses: where to connect, in this order until one takes the connection.
        deadline: when to give up, on the clock of `time.monotonic`.
        authorities: PEM file of the authorities that vouch for the server; the ones that come
            with `requests` if not given.

    Raises:
        NetworkError: `network_unreachable`, `server_not_trusted`, `unexpected_answer`; also while
            the body is read.
    """
    parts, where = urlsplit(url), redact_url(url)
    pinned = _Pinned(host, parts.port or HTTPS, addresses, deadline, _trust(authorities))
    with closing(pinned) as connection:
        with told(where):
            connection.connect()
        end_at(deadline, connection, where)
        with told(where):
            response = _asked(connection, parts)
        with closing(response):
            yield answered(response, deadline, where)


def _asked(connection: HTTPSConnection, parts: SplitResult) -> HTTPResponse:
    from attest import __version__

    connection.request(
        "GET",
        (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        headers={"Accept-Encoding": "identity", "User-Agent": f"attest/{__version__}"},
    )
    return connection.getresponse()


def end_at(deadline: float, connection: HTTPConnection, where: str) -> None:
    """Have the next answers over a connection end in time, whatever is being waited for.

    A server that sends a byte now and then is never silent, and may never complete a line.

    Args:
        deadline: when to give up, on the clock of `time.monotonic`.
        connection: what the answers come over.
        where: the URL for errors.
    """

    def response(sock: socket.socket, *, method: str | None = None) -> HTTPResponse:
        # All that an answer wants of a socket is the stream that it makes.
        arriving = cast("socket.socket", _Arriving(sock, deadline, where))
        return HTTPResponse(arriving, method=method)

    # It is only ever called, and so may be a function.
    connection.response_class = response  # type: ignore[assignment]  # see above


class _Arriving(io.RawIOBase):
    """What arrives at a socket until a deadline; each wait ends with it."""

    def __init__(self, sock: socket.socket, deadline: float, where: str) -> None:
        self._sock = sock
        self._silence = sock.gettimeout() or _SILENCE_SECONDS
        self._deadline = deadline
        self._where = where
        self._raw = sock.makefile("rb", buffering=0)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """The stream itself, buffered."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: object, /) -> int | None:
        """Receive what there is.

        Raises:
            NetworkError: `network_unreachable`, once the time is over.
            TimeoutError: the server is silent.
        """
        left = self._deadline - time.monotonic()
        # Even from who sends without a pause nothing more is taken.
        if left > 0:
            self._sock.settimeout(min(self._silence, left))
            try:
                return self._raw.readinto(cast("memoryview", buffer))
            except TimeoutError:
                if time.monotonic() < self._deadline:
                    raise
        raise NetworkError("network_unreachable", "takes too long", where=self._where)

    def close(self) -> None:
        """Let go of the socket, which may be used again."""
        self._raw.close()
        super().close()


@contextmanager
def told(where: str) -> Iterator[None]:
    """Tell of a failure in our own words: a library's message may hold the whole URL."""
    try:
        yield
    except (OSError, HTTPException) as error:
        raise _failure(error, where) from None


def _trust(authorities: Path | None) -> ssl.SSLContext:
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    context = ssl.create_default_context(cafile=str(authorities or DEFAULT_CA_BUNDLE_PATH))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def require_https(url: str) -> str:
    """The URL, if it is https, or http to a loopback address, and carries no credentials.

    Raises:
        NetworkError: `insecure_scheme`, `invalid_uri`.
    """
    none = NetworkError("invalid_uri", "is not a URL", hint="give an https URL")
    if not url.isprintable() or " " in url:
        raise none
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
        # What is sent of it is ASCII, the host by IDNA; errors of both are a ValueError.
        (host or "").encode("idna")
        (parts.path + parts.query).encode("ascii")
    except ValueError:
        raise none from None
    if parts.username is not None or parts.password is not None:
        raise NetworkError("invalid_uri", "carries credentials", where=redact_url(url))
    if host and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(url))):
        return url
    raise NetworkError(
        "insecure_scheme", "is not an https URL", where=redact_url(url), hint="give an https URL"
    )


def is_loopback(url: str) -> bool:
    """Whether a URL names this machine by its address."""
    import ipaddress

    try:
        return ipaddress.ip_address(urlsplit(url).hostname or "").is_loopback
    except ValueError:
        return False


@cache
def machine_trust() -> ssl.SSLContext:
    """One that believes the machine's authorities too: here TLS is not what is trusted."""
    context = _trust(None)
    context.load_default_certs()
    return context


def answered(response: HTTPResponse, deadline: float, where: str) -> Answer:
    """What a server answered; its body is read as it arrives.

    Args:
        response: whose body `end_at` ends in time.
        deadline: when to give up, on the clock of `time.monotonic`.
        where: the URL for errors.

    Raises:
        NetworkError: `unexpected_answer`; while the body is read those of `get`.
    """
    # What was asked for uncompressed and comes compressed is not what a digest would be of.
    if (response.getheader("Content-Encoding") or "identity").lower() != "identity":
        raise NetworkError("unexpected_answer", "is compressed, unasked", where=where)
    promised = response.getheader("Content-Length") or ""
    chunked = response.getheader("Transfer-Encoding") is not None
    known = promised.isascii() and promised.isdigit() and len(promised) < 20 and not chunked
    length = int(promised) if known else None
    return Answer(
        status=response.status,
        location=response.getheader("Location"),
        length=length,
        body=_body(response, length, deadline, where),
    )


def _body(
    response: HTTPResponse, length: int | None, deadline: float, where: str
) -> Iterator[bytes]:
    received = 0
    while True:
        with told(where):
            # `read` would wait for a full piece, which a server can make last for ever.
            piece = response.read1(_CHUNK)
        if time.monotonic() > deadline:
            raise NetworkError("network_unreachable", "takes too long", where=where)
        if not piece:
            break
        received += len(piece)
        yield piece
    if length is not None and received != length:
        raise NetworkError("unexpected_answer", "is cut off", where=where)


def _failure(error: OSError | HTTPException, where: str) -> NetworkError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return NetworkError(
            "server_not_trusted",
            f"the server's certificate does not verify: {error.verify_message}",
            where=where,
        )
    if isinstance(error, ssl.SSLError):
        return NetworkError("server_not_trusted", "the server does not speak TLS", where=where)
    if isinstance(error, TimeoutError):
        return NetworkError("network_unreachable", "did not answer in time", where=where)
    if isinstance(error, HTTPException) and not isinstance(error, OSError):
        return NetworkError("unexpected_answer", "is cut off, or not HTTP", where=where)
    return NetworkError("network_unreachable", "the server cannot be reached", where=where)
