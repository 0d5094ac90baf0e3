"""What every test shares: reports are held to their schema, and skips can be made failures."""

from __future__ import annotations

import json
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
