"""The login in a real browser without a window: redirects, the page at the end, and its look."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from attest.errors import SigningError
from attest.oidc import IdentityToken
from attest.sandbox import Sandbox
from attest.signing.device import DeviceCode, log_in_elsewhere
from attest.signing.login import log_in

pytestmark = pytest.mark.extra

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
#: Nothing but this machine: no updates, no reports, no look-ups.
_OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
)


class Chromium:
    """A headless Chromium: each address is opened in a browser of its own, with a new profile."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._pool = ThreadPoolExecutor(1)
        self.pages: list[Future[str]] = []

    def open(self, url: str) -> bool:
        """Go to an address, as `webbrowser.open` does: without waiting."""
        self.pages.append(self._pool.submit(self.shown, url))
        return True

    def shown(self, url: str, *more: str) -> str:
        """The document that the browser has built when all redirects are over."""
        profile = self._folder / f"profile-{len(list(self._folder.iterdir()))}"
        words = [self._program, *_OPTIONS, f"--user-data-dir={profile}", *more, "--dump-dom", url]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout

    def close(self) -> None:
        """Wait for what is still open."""
        self._pool.shutdown()


@pytest.fixture
def chromium(tmp_path: Path) -> Iterator[Chromium]:
    program = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"there is no browser on this machine: {', '.join(_NAMES)}")
    browser = Chromium(program, tmp_path)
    yield browser
    browser.close()


def test_a_person_logs_in_with_a_real_browser(sandbox: Sandbox, chromium: Chromium) -> None:
    text = log_in(sandbox.issuer_url, open_browser=chromium.open, patience_seconds=60)
    assert IdentityToken.from_text(text).identity == "ana@acme.example"
    page = chromium.pages[0].result()
    assert '<html lang="en">' in page
    assert "<title>attest: Login received</title>" in page
    assert "<h1>Login received</h1>" in page
    assert "You may close this window" in page
    # Of the address, which holds code and state, nothing is on the page.
    assert "state" not in page
    assert "code=" not in page


def wrong(chromium: Chromium, answer: str) -> Callable[[str], bool]:
    def browser(url: str) -> bool:
        query = parse_qs(urlsplit(url).query)
        back = answer.format(state=query["state"][0])
        return chromium.open(f"{query['redirect_uri'][0]}?{back}")

    return browser


MARK = quote("<script>document.title='run'</script><b>mark</b>")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (f"error=access_denied&error_description={MARK}&state={{state}}", "was declined"),
        (f"error={MARK}&state={{state}}", "reported a problem"),
        (f"code=x&state={MARK}", "does not belong to the login"),
        (f"state={{state}}&x={MARK}", "incomplete"),
    ],
)
def test_a_real_browser_shows_what_went_wrong(
    sandbox: Sandbox, chromium: Chromium, answer: str, told: str
) -> None:
    with pytest.raises(SigningError) as caught:
        log_in(sandbox.issuer_url, open_browser=wrong(chromium, answer), patience_seconds=60)
    assert caught.value.code == "login_failed"
    page = chromium.pages[0].result()
    assert "<title>attest: Login not completed</title>" in page
    assert told in page
    assert "mark" not in page
    assert "<script" not in page


def test_the_page_obeys_its_own_policy(sandbox: Sandbox, chromium: Chromium) -> None:
    """Its style is applied although nothing inline is allowed that has not the right hash."""
    messages: list[str] = []

    def browser(url: str) -> bool:
        words = [chromium._program, *_OPTIONS, "--enable-logging=stderr", "--v=0"]
        profile = chromium._folder / "logged"
        done = subprocess.run(
            [*words, f"--user-data-dir={profile}", "--dump-dom", url],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        messages.append(done.stderr)
        return True

    log_in(sandbox.issuer_url, open_browser=browser, patience_seconds=60)
    assert "Content Security Policy" not in messages[0]


def test_a_person_enters_the_code_in_a_real_browser(sandbox: Sandbox, chromium: Chromium) -> None:
    def show(code: DeviceCode) -> None:
        assert code.complete_url is not None
        assert "logged in as ana@acme.example" in chromium.shown(code.complete_url)

    text = log_in_elsewhere(sandbox.issuer_url, show=show)
    assert IdentityToken.from_text(text).identity == "ana@acme.example"
