"""Kept HTTP connections to services: a request and its whole answer, within a deadline.

TLS is verified and redirects are not followed, so that nothing sent along ends up elsewhere.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from types import TracebackType
from typing import Literal, Self, TypeAlias
from urllib.parse import unquote, urlsplit

from attest.errors import NetworkError
from attest.http import (
    Answer,
    answered,
    end_at,
    is_loopback,
    machine_trust,
    redact_url,
    require_https,
    told,
)

#: For connecting, and for each silence of the server after that: a v2 log answers only when its
#: next checkpoint is out, for which its clients are told to wait at least 20 seconds.
_SILENCE_SECONDS = 30.0
#: The largest answers are log entries, which logs keep far below this.
_MAX_ANSWER_BYTES = 4 * 1_048_576

_Origin: TypeAlias = tuple[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What is asked of a service: an https URL (http to loopback), a body and its headers."""

    url: str
    method: Literal["GET", "POST"] = "POST"
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """A whole answer; the names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Unreached(NetworkError):
    """No connection came about, so that the service has seen nothing of the request."""


class Connections:
    """Connections that are used again; any number of threads may ask at the same time."""

    def __init__(self) -> None:
        self._idle: dict[_Origin, list[HTTPConnection]] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection that is not in use."""
        with self._lock:
            idle, self._idle = self._idle, {}
        for connections in idle.values():
            for connection in connections:
                connection.close()

    def ask(self, request: Request, *, deadline: float) -> Reply:
        """Send a request and read the whole answer, whatever its status.

        Proxies of the environment are used, except to loopback.

        Args:
            request: what to ask.
            deadline: when to give up, on the clock of `time.monotonic`.

        Raises:
            NetworkError: `insecure_scheme`, `invalid_uri`, `network_unreachable`,
                `server_not_trusted`, `unexpected_answer`; an `Unreached` where nothing was sent.
        """
        where = redact_url(require_https(request.url))
        parts = urlsplit(request.url)
        origin = (parts.scheme, parts.netloc)
        connection = self._taken(origin)
        if connection is not None and not _is_fresh(connection):
            connection.close()
            connection = None
        try:
            if connection is None:
                connection = _connected(request.url, deadline, where)
            reply, reusable = _asked(connection, request, deadline, where)
        except BaseException:
            if connection is not None:
                connection.close()
            raise
        if reusable:
            with self._lock:
                self._idle.setdefault(origin, []).append(connection)
        else:
            connection.close()
        return reply

    def _taken(self, origin: _Origin) -> HTTPConnection | None:
        with self._lock:
            idle = self._idle.get(origin)
            return idle.pop() if idle else None


@contextmanager
def download(url: str, *, deadline: float) -> Iterator[Answer]:
    """Ask for a URL whose answer proves itself, such as signed metadata.

    Proxies of the environment are used, except to loopback. No credentials are sent, and
    redirects are not followed; of what is no success the status alone is told.

    Args:
        url: https, or http to a loopback address.
        deadline: when to give up, on the clock of `time.monotonic`.

    Raises:
        NetworkError: `insecure_scheme`, `invalid_uri`, `network_unreachable`,
            `server_not_trusted`, `unexpected_answer`; also while the body is read.
    """
    where = redact_url(require_https(url))
    with closing(_connected(url, deadline, where)) as connection:
        with told(where):
            _send(connection, Request(url=url, method="GET"))
            response = connection.getresponse()
        with closing(response):
            if 200 <= response.status < 300:
                yield answered(response, deadline, where)
            else:
                yield Answer(status=response.status, location=None, length=None, body=iter(()))


def _is_fresh(connection: HTTPConnection) -> bool:
    """Whether a connection has nothing to read: the end of it, were the server tired of it."""
    import selectors

    if connection.sock is None:
        return False
    # Not `select`, which knows the first 1024 open files of a process and no others.
    with selectors.DefaultSelector() as selector:
        selector.register(connection.sock, selectors.EVENT_READ)
        return not selector.select(0)


def _connected(url: str, deadline: float, where: str) -> HTTPConnection:
    left = deadline - time.monotonic()
    if left <= 0:
        raise Unreached("network_unreachable", "takes too long", where=where)
    connection = _connection(url, min(left, _SILENCE_SECONDS), where)
    end_at(deadline, connection, where)  # a proxy's answer is one, too
    try:
        with told(where):
            connection.connect()
    except NetworkError as error:
        connection.close()
        raise Unreached(error.code, error.message, hint=error.hint, where=error.where) from None
    except BaseException:
        connection.close()
        raise
    return connection


def _connection(url: str, patience: float, where: str) -> HTTPConnection:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "http":  # to this machine, where there is no proxy between
        return HTTPConnection(host, parts.port, timeout=patience)
    proxy = None if is_loopback(url) else _proxy_for(host, parts.port)
    if proxy is None:
        return HTTPSConnection(host, parts.port, timeout=patience, context=machine_trust())
    through = urlsplit(proxy if "//" in proxy else f"//{proxy}")
    if through.hostname is None:
        raise NetworkError("network_unreachable", "the proxy has no host name", where=where)
    connection = HTTPSConnection(
        through.hostname, through.port or 80, timeout=patience, context=machine_trust()
    )
    connection.set_tunnel(
        host, parts.port or 443, headers=_proxy_headers(through.username, through.password)
    )
    return connection


def _proxy_for(host: str, port: int | None) -> str | None:
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    proxy = proxies.get("https") or proxies.get("all")
    place = host if port is None else f"{host}:{port}"
    return None if not proxy or proxy_bypass(place) or proxy_bypass(host) else proxy


def _proxy_headers(user: str | None, password: str | None) -> dict[str, str]:
    if user is None:
        return {}
    from base64 import b64encode

    pair = f"{unquote(user)}:{unquote(password or '')}".encode()
    return {"Proxy-Authorization": f"Basic {b64encode(pair).decode('ascii')}"}


def _asked(
    connection: HTTPConnection, request: Request, deadline: float, where: str
) -> tuple[Reply, bool]:
    """The answer, and whether the connection can be used again."""
    if connection.sock is None:
        raise NetworkError("network_unreachable", "the connection is gone", where=where)
    connection.sock.settimeout(max(0.001, min(_SILENCE_SECONDS, deadline - time.monotonic())))
    end_at(deadline, connection, where)
    with told(where):
        _send(connection, request)
        response = connection.getresponse()
        with closing(response):
            body = response.read(_MAX_ANSWER_BYTES + 1)
            # A bounded read takes the end of the connection for the end of the answer.
            if response.length and len(body) <= _MAX_ANSWER_BYTES:
                raise NetworkError("unexpected_answer", "is cut off", where=where)
            if time.monotonic() > deadline:
                raise NetworkError("network_unreachable", "takes too long", where=where)
    return _reply(response, body, where), not response.will_close


def _send(connection: HTTPConnection, request: Request) -> None:
    from attest import __version__

    parts = urlsplit(request.url)
    connection.request(
        request.method,
        (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        body=request.body or None,
        headers={
            "Accept-Encoding": "identity",
            "User-Agent": f"attest/{__version__}",
            **request.headers,
        },
    )


def _reply(response: HTTPResponse, body: bytes, where: str) -> Reply:
    if len(body) > _MAX_ANSWER_BYTES:
        raise NetworkError(
            "unexpected_answer", f"is larger than {_MAX_ANSWER_BYTES} bytes", where=where
        )
    if (response.getheader("Content-Encoding") or "identity").lower() != "identity":
        raise NetworkError("unexpected_answer", "is compressed, unasked", where=where)
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Reply(status=response.status, headers=headers, body=body)
