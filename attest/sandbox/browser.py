"""A person at a browser, played by the program: whoever is logged in only follows redirects."""

from __future__ import annotations

import urllib.request
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

#: A sandbox answers at once; only a hung one takes this long.
_TIMEOUT_SECONDS: Final = 10


class FollowingBrowser(webbrowser.BaseBrowser):
    """Opens an address by following its redirects, on this machine and without a proxy."""

    def __init__(self) -> None:
        super().__init__("attest-sandbox")
        self.active = True

    def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:  # noqa: ARG002, FBT001, FBT002 -- the signature of the base class
        """Follow an address to its end; False, so that another browser is tried, once retired."""
        if not self.active:
            return False
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=_TIMEOUT_SECONDS) as answer:
            answer.read()
        return True


@contextmanager
def played_browser() -> Iterator[FollowingBrowser]:
    """Let `webbrowser.open` reach a `FollowingBrowser` for a while."""
    browser = FollowingBrowser()
    webbrowser.register(browser.name, None, browser, preferred=True)
    try:
        yield browser
    finally:
        # A registration cannot be taken back; a browser that declines is passed over.
        browser.active = False
