"""What services answered, told without secrets: exceptions of clients become our own errors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from attest.errors import AttestError, NetworkError, without_tokens

if TYPE_CHECKING:
    import requests

#: Long enough for a service's sentence, short enough for a terminal.
_LONGEST = 300
_NO_REASON = "no reason given"
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+\S+")
_CREDENTIALS = re.compile(r"//[^/@\s]+@")
_TAG = re.compile(r"<[^<>]*>")
_QUERY = re.compile(r"\?[^\s'\")]+")


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Foreign text made fit for a message: one line, no secrets, bounded.

    Args:
        text: what a service or library said.
        secrets: exact values to remove beside whatever looks like a token or a URL credential.
    """
    for secret in secrets:
        if secret:
            text = text.replace(secret, "[secret]")
    text = without_tokens(text)
    text = _BEARER.sub(r"\1 [secret]", text)
    text = _CREDENTIALS.sub("//", text)
    text = _QUERY.sub("?…", text)
    text = "".join(c if c.isprintable() else " " for c in text)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and what it came from, nearest first."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def response_of(error: BaseException) -> requests.Response | None:
    """The HTTP answer behind an exception, if there was one."""
    import requests

    for link in chain(error):
        if isinstance(link, requests.RequestException) and link.response is not None:
            return link.response
    return None


def said(body: bytes) -> str:
    """The reason in the body of an answer: in the forms of services here, else as it stands; raw.

    What stands before a service, a proxy or a gate, answers in text or HTML.
    """
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict):
        for name in ("message", "error_description", "error"):
            if isinstance(answer.get(name), str) and answer[name]:
                return str(answer[name])
    text = body.decode("utf-8", errors="replace").strip()
    if text.startswith("<"):
        text = _TAG.sub(" ", text)
    return text if any(c.isalnum() for c in text) else _NO_REASON


def unreachable(error: BaseException, service: str) -> AttestError | None:
    """The error for a service that did not answer; None if it did, or the fault is elsewhere."""
    import requests

    if response_of(error) is not None:
        return None
    for link in chain(error):
        # `urllib3` comes with `requests` and is not a dependency of its own.
        if isinstance(
            link, requests.ConnectionError | requests.Timeout | ConnectionError | TimeoutError
        ) or type(link).__module__.startswith("urllib3."):
            return NetworkError(
                "network_unreachable",
                f"{service} did not answer: {_where(link)}",
                hint="check the network and the instance's addresses, then sign again; "
                "nothing was written",
            )
    return None


def _where(error: BaseException) -> str:
    """Host and kind of failure; a client's own text names its internals and whole addresses."""
    import requests

    kind = "timed out" if "imeout" in type(error).__name__ else "no connection"
    request = error.request if isinstance(error, requests.RequestException) else None
    if request is None or not request.url:
        return kind
    from urllib.parse import urlsplit

    parts = urlsplit(request.url)
    port = f":{parts.port}" if parts.port else ""
    return f"{kind} to {parts.hostname}{port}"
