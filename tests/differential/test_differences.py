"""docs/differences.md is true: each entry differs, as it says, and nothing else is listed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from attest.errors import AttestError
from tests.differential.differences import DIFFERENCES
from tests.engine.second_opinion import DIFFERING
from tests.evidence import ARTIFACT_DIGEST, PERSON, PERSON_ISSUER, artifact_content, root_of, verify
from tests.peer import Peer

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "differences.md"


def listed() -> dict[str, list[str]]:
    """The entries of the document, by section."""
    sections: dict[str, list[str]] = {}
    for mark, title in re.findall(r"(?m)^(##|###) (.+)$", DOCUMENT.read_text(encoding="utf-8")):
        if mark == "##":
            sections[title] = []
        else:
            list(sections.values())[-1].append(title)
    return sections


def test_the_document_lists_what_is_tested_and_nothing_else() -> None:
    stricter, wider, unsupported, *_ = listed().values()  # the others are test_javascript's
    assert stricter == [name for name, case in DIFFERENCES.items() if case().code is not None]
    assert wider == [name for name, case in DIFFERENCES.items() if case().code is None]
    assert set(unsupported) == set(DIFFERING.values()) - set(wider)


@pytest.mark.parametrize("name", DIFFERENCES)
def test_the_verdicts_differ_as_the_document_says(name: str) -> None:
    case = DIFFERENCES[name]()
    code: str | None = None
    try:
        verify(case.bundle, artifact_content(ARTIFACT_DIGEST), root_of(case.trusted_root))
    except AttestError as error:
        code = error.code
    assert code == case.code
    peer = Peer(case.trusted_root, identity=PERSON, issuer=PERSON_ISSUER)
    objection = peer.objection(case.bundle, ARTIFACT_DIGEST)
    assert (objection is None) == (code is not None), objection
