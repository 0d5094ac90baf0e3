"""A repository judged by policy files: windows, revocations, proofs, principals, expiry."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import attest
from attest.policy.model import Policy
from attest.signing.keyfile import FileKey
from tests.sei.judging import (
    ALL,
    BUNDLE,
    KEY,
    NOW,
    OTHER,
    codes,
    judged,
    sign,
)
from tests.sei.judging import repository as repository  # noqa: PLC0414  # a fixture


def policy_file(folder: Path, text: str, *keys: FileKey) -> Policy:
    folder.mkdir(exist_ok=True)
    for number, key in enumerate(keys):
        (folder / f"{number}.pub").write_bytes(key.public.pem)
    (folder / "policy.yaml").write_text(text)
    return Policy.load(folder / "policy.yaml")


OPTIONAL = "log: optional\ntimestamp: optional\n"
WINDOWS = f"""\
version: 1
signers:
  old: {{key: 0.pub, not-after: 2026-06-30T00:00:00Z}}
  new: {{key: 1.pub, not-before: 2026-06-01T00:00:00Z}}
require:
  - at-least: 1
    of: [old, new]
{OPTIONAL}"""


@pytest.mark.parametrize(
    ("day", "old", "new"),
    [
        ((2026, 5, 1), None, "signed_too_early"),
        ((2026, 6, 15), None, None),
        ((2026, 7, 1), "signed_too_late", None),
    ],
)
def test_keys_have_windows_that_the_clock_opens_and_shuts(
    day: tuple[int, int, int], old: str | None, new: str | None, repository: Path, tmp_path: Path
) -> None:
    policy = policy_file(tmp_path / "keys", WINDOWS, KEY, OTHER)
    sign(repository, BUNDLE, OTHER)
    found = codes(judged(repository, policy=policy, now=datetime(*day, tzinfo=UTC)))
    assert found == dict.fromkeys(ALL, old) | {BUNDLE: new}


@pytest.mark.parametrize("name", sorted(KEY.public.ids))
def test_a_revoked_key_counts_no_longer_and_another_still_does(
    name: str, repository: Path, tmp_path: Path
) -> None:
    text = WINDOWS.replace("2026-06-30", "2036-06-30")
    text += f'revoked:\n  keys: [{{value: "{name}", since: 2036-01-01T00:00:00Z}}]\n'
    policy = policy_file(tmp_path / "keys", text, KEY, OTHER)
    sign(repository, BUNDLE, OTHER)
    found = codes(judged(repository, policy=policy))
    assert found == dict.fromkeys(ALL, "signer_revoked") | {BUNDLE: None}


def test_a_policy_that_asks_for_proofs_is_met_by_no_signature(
    repository: Path, tmp_path: Path
) -> None:
    text = "version: 1\nsigners:\n  k: {key: 0.pub}\nrequire: [k]\n"
    policy = policy_file(tmp_path / "keys", text, KEY)
    assert set(codes(judged(repository, policy=policy)).values()) == {"log_required"}
    policy = policy_file(tmp_path / "keys", f"{text}log: optional\n", KEY)
    assert set(codes(judged(repository, policy=policy)).values()) == {"timestamp_required"}


def test_one_key_under_two_names_is_one(repository: Path, tmp_path: Path) -> None:
    text = "version: 1\nsigners:\n  a: {key: 0.pub}\n  b: {key: 1.pub}\n"
    text += f"require: [a, b]\n{OPTIONAL}"
    with pytest.raises(attest.PolicyFileError) as caught:
        policy_file(tmp_path / "keys", text, KEY, KEY)
    assert caught.value.code == "policy_impossible"
    policy = policy_file(tmp_path / "keys", text, KEY, OTHER)
    found = set(codes(judged(repository, policy=policy)).values())
    assert found == {"certificate_identity_mismatch"}


def test_a_policy_that_has_expired_decides_nothing(repository: Path, tmp_path: Path) -> None:
    text = "version: 1\nexpires: 2026-01-01T00:00:00Z\nsigners:\n  k: {key: 0.pub}\nrequire: [k]\n"
    policy = policy_file(tmp_path / "keys", text + OPTIONAL, KEY)
    with pytest.raises(attest.PolicyFileError) as caught:
        judged(repository, policy=policy, now=NOW + timedelta(days=1))
    assert caught.value.code == "policy_expired"
