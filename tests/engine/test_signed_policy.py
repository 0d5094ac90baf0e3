"""Signed policies: exactly these bytes, by exactly this signer, and never an older edition."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest.api.editions import Edition, advance
from attest.api.signed_policy import PolicySigner, load_signed_policy
from attest.errors import AttestError, PolicyFileError, UsageError
from attest.limits import DEFAULT_LIMITS
from attest.policy.rules import PolicyFile
from tests.engine.merged_evidence import LATER
from tests.engine.virtual_evidence import ISSUER, V1_DSSE, V1_MESSAGE, Evidence, statement
from tests.engine.virtual_instance import ROOT, p256

POLICY = """\
version: 1
serial: 1
expires: 2036-01-01T00:00:00Z
signers: {ana: {issuer: google, email: ana@acme.example}}
require: [ana]
"""
EDITION = Edition(
    identity="ana@acme.example",
    issuer=ISSUER,
    file=Path("/acme/policy.yaml"),
    description="Releases of acme",
    sandbox=False,
    serial=3,
    sha256=b"3" * 32,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "policy.yaml"


def signer(path: Path) -> PolicySigner:
    folder = path.parent / "state"
    return PolicySigner(identity="ana@acme.example", issuer=ISSUER, root=ROOT, folder=folder)


def load(path: Path, evidence: Evidence, text: str = POLICY) -> PolicyFile:
    path.write_text(text, encoding="utf-8")
    Path(f"{path}.sigstore.json").write_bytes(evidence.build())
    return load_signed_policy(path, signer(path), bundle=None, now=LATER, limits=DEFAULT_LIMITS)


def signing(text: str = POLICY, evidence: Evidence = V1_MESSAGE) -> Evidence:
    return replace(evidence, artifact=text.encode())


def about(text: str = POLICY) -> Evidence:
    digest = hashlib.sha256(text.encode()).hexdigest()
    return replace(V1_DSSE, payload=statement({"sha256": digest}))


def test_what_is_signed_is_used(path: Path) -> None:
    policy = load(path, signing())
    assert policy.sha256 == hashlib.sha256(POLICY.encode()).digest()


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(about(), id="a statement about it, by the same signer"),
        pytest.param(signing(f"{POLICY} "), id="other bytes"),
        pytest.param(replace(signing(), signing_key=p256("eve")), id="another key"),
        pytest.param(replace(signing(), issuer="https://issuer.example"), id="another issuer"),
        pytest.param(replace(signing(), log=None), id="not logged"),
        pytest.param(replace(signing(), by_key=True), id="a key"),
    ],
)
def test_what_is_not_signed_so_is_not_used(path: Path, evidence: Evidence) -> None:
    with pytest.raises(PolicyFileError, match="policy_not_verified"):
        load(path, evidence)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("serial: 1\n", "", "policy_missing_key"),
        ("expires: 2036-01-01T00:00:00Z\n", "", "policy_missing_key"),
        ("2036", "2026", "policy_expired"),
        ("serial: 1", "trust: root.json", "policy_path_not_allowed"),
        ("email: ana@acme.example", "email: []", "policy_empty"),
        ("{issuer: google, email: ana@acme.example}", "{key: key.pub}", "policy_path_not_allowed"),
    ],
)
def test_what_is_signed_must_be_a_policy_that_ends(
    path: Path, old: str, new: str, code: str
) -> None:
    text = POLICY.replace(old, new)
    assert text != POLICY
    with pytest.raises(PolicyFileError, match=code):
        load(path, signing(text), text)


def test_what_is_not_verified_is_not_remembered(path: Path) -> None:
    later = POLICY.replace("serial: 1", "serial: 9")
    for text, evidence in ((later, signing()), (later.replace("2036", "2026"), None)):
        with pytest.raises(PolicyFileError):
            load(path, evidence or signing(text), text)
    assert load(path, signing()).serial == 1


def test_a_file_that_is_too_large_is_not_used(path: Path) -> None:
    text = POLICY + "#" * 300_000
    with pytest.raises(PolicyFileError, match="policy_too_large"):
        load(path, signing(text), text)


@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from([b"a" * 32, b"b" * 32])), max_size=8))
def test_no_edition_goes_back(
    tmp_path_factory: pytest.TempPathFactory, tried: list[tuple[int, bytes]]
) -> None:
    folder = tmp_path_factory.mktemp("state")
    newest: tuple[int, bytes] | None = None
    for serial, sha256 in tried:
        allowed = newest is None or serial > newest[0] or (serial, sha256) == newest
        try:
            advance(replace(EDITION, serial=serial, sha256=sha256), folder=folder)
        except PolicyFileError:
            assert not allowed
        else:
            assert allowed
            newest = (serial, sha256)


@pytest.mark.parametrize(
    "other",
    [
        replace(EDITION, identity="bo@acme.example"),
        replace(EDITION, issuer="https://issuer.example"),
        replace(EDITION, file=Path("/other/policy.yaml"), description="Releases of other"),
        replace(EDITION, file=Path("/other/policy.yaml"), description=None),
        replace(EDITION, sandbox=True),
    ],
)
def test_each_policy_of_each_signer_is_remembered_apart(tmp_path: Path, other: Edition) -> None:
    advance(EDITION, folder=tmp_path)
    advance(replace(other, serial=1), folder=tmp_path)
    with pytest.raises(PolicyFileError, match="policy_rollback"):
        advance(replace(EDITION, serial=2), folder=tmp_path)


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        # A copy elsewhere, under another name; and another description in its place.
        (EDITION, replace(EDITION, file=Path("/elsewhere/copy.yaml"))),
        (EDITION, replace(EDITION, description="Another")),
        (EDITION, replace(EDITION, description=None)),
        # Without a description, a file of that name is that policy.
        (
            replace(EDITION, description=None),
            replace(EDITION, file=Path("/elsewhere/policy.yaml"), description=""),
        ),
    ],
)
def test_an_old_edition_is_old_in_its_place_and_by_its_description(
    tmp_path: Path, newer: Edition, older: Edition
) -> None:
    advance(newer, folder=tmp_path)
    with pytest.raises(PolicyFileError, match="policy_rollback"):
        advance(replace(older, serial=2), folder=tmp_path)
    advance(replace(older, serial=4), folder=tmp_path)
    with pytest.raises(PolicyFileError, match="policy_rollback"):
        advance(replace(older, serial=3), folder=tmp_path)


def test_a_place_is_the_same_from_whatever_folder_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    absolute = replace(EDITION, file=tmp_path / "policy.yaml")
    advance(absolute, folder=tmp_path / "state")
    relative = replace(EDITION, file=Path("policy.yaml"), description="Another", serial=2)
    with pytest.raises(PolicyFileError, match="policy_rollback"):
        advance(relative, folder=tmp_path / "state")


def test_what_one_memory_refuses_the_other_does_not_learn(tmp_path: Path) -> None:
    advance(EDITION, folder=tmp_path)
    elsewhere = replace(EDITION, description="Another", serial=2)
    with pytest.raises(PolicyFileError, match="policy_rollback"):
        advance(elsewhere, folder=tmp_path)
    advance(replace(elsewhere, file=Path("/other/policy.yaml"), serial=1), folder=tmp_path)


@pytest.mark.parametrize("data", [b"", b"3", b"-1 " + b"0" * 64 + b"\n", b"3 " + b"0" * 63 + b"\n"])
def test_a_memory_that_was_changed_is_no_memory(tmp_path: Path, data: bytes) -> None:
    advance(EDITION, folder=tmp_path)
    files = list(tmp_path.glob("*.edition"))
    assert len(files) == 2
    for file in files:
        kept = file.read_bytes()
        file.write_bytes(data)
        with pytest.raises(UsageError, match="state_corrupt"):
            advance(replace(EDITION, serial=9), folder=tmp_path)
        file.write_bytes(kept)


def test_a_long_description_is_remembered_too(tmp_path: Path) -> None:
    longest = replace(EDITION, description="\u20ac" * 4_096)
    advance(longest, folder=tmp_path)
    with pytest.raises(PolicyFileError, match="policy_rollback"):
        advance(replace(longest, file=Path("/elsewhere/x.yaml"), serial=2), folder=tmp_path)


def test_where_nothing_can_be_remembered_nothing_is_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for folder, code in ((None, "no_state_folder"), (tmp_path / "file" / "x", "unwritable_file")):
        with pytest.raises(AttestError, match=code):
            advance(EDITION, folder=folder)
