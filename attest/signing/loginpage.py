"""The page that a person sees in the browser at the end of a login.

Plain HTML without scripts, pictures or anything from elsewhere; the browser's own colours, so
that contrast, dark mode and large print are as the person has them. Nothing that came with the
request is repeated on it.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Literal, TypeAlias

Problem: TypeAlias = Literal["declined", "refused", "foreign", "no_code"]

_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:1.25rem/1.5 system-ui,sans-serif;max-width:36rem;margin:4rem auto;padding:0 1rem}"
)
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>attest: {title}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{text}</p>
<p>You may close this window and return to the terminal.</p>
</main>
</body>
</html>
"""
_PROBLEMS: dict[Problem, str] = {
    "declined": "The login was declined, by you or by the login service. Nothing was signed.",
    "refused": "The login service reported a problem. The terminal says which. Nothing was signed.",
    "foreign": "The answer that arrived does not belong to the login that attest is waiting for. "
    "Nothing was signed. If you did not expect this page, somebody may have tried to log you in "
    "as somebody else.",
    "no_code": "The answer of the login service is incomplete. Nothing was signed.",
}
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    # The page's own address holds the code.
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}


def received() -> bytes:
    """The page for a login that came back as it should."""
    return _page("Login received", "attest has received your login and goes on by itself.")


def not_done(problem: Problem) -> bytes:
    """The page for a login that did not."""
    return _page("Login not completed", _PROBLEMS[problem])


def _page(title: str, text: str) -> bytes:
    return _PAGE.format(title=title, text=text, style=_STYLE).encode()
