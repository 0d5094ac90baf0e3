"""What every test shares: no network, reports held to their schema, skips that can be failures."""

from __future__ import annotations

import ipaddress
import json
import signal
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from attest.report import json as report_json
from attest.report.model import Report
from attest.strictjson import JSON

SCHEMA = Path(report_json.__file__).with_name("report.v1.schema.json")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="a skipped test is a failed one")


def pytest_configure() -> None:
    # Shells start what runs in the background deaf to Ctrl-C, and every child inherits that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and item.config.getoption("--no-skips"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and --no-skips forbids it: {call.excinfo}"
    return report


@pytest.fixture(autouse=True, scope="session")
def every_report_follows_its_schema() -> Iterator[None]:
    """Validate every report that any test makes against the schema that ships."""
    validator = Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    real = report_json.to_json

    def validated(report: Report) -> dict[str, JSON]:
        document = real(report)
        validator.validate(document)
        return document

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report_json, "to_json", validated)
        yield


class BeyondThisMachineError(Exception):
    """A test tried to reach the network; no part of the product catches this."""


#: Connections and look-ups that were tried while none at all are allowed; None while some are.
_TRIED: list[str] | None = None


def _guard(event: str, args: tuple[object, ...]) -> None:
    """Refuse to look up a name or to connect, except on loopback."""
    if event not in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        return
    target = args[0] if event == "socket.getaddrinfo" else args[1]
    host = target[0] if isinstance(target, tuple) else target
    if _TRIED is not None:
        _TRIED.append(f"{event} {host}")
        raise OSError("no network in this test")
    if event == "socket.getaddrinfo" or isinstance(target, tuple):
        name = host.decode() if isinstance(host, bytes) else host
        if name not in (None, "", "localhost") and not _is_loopback(str(name)):
            raise BeyondThisMachineError(f"a test wants to reach {name}")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


sys.addaudithook(_guard)


@pytest.fixture
def network_calls() -> Iterator[list[str]]:
    """Every connection and look-up that is tried meanwhile; all fail, loopback included."""
    global _TRIED  # noqa: PLW0603 - an audit hook can be told nothing otherwise
    _TRIED = []
    yield _TRIED
    _TRIED = None
