"""Writing and signing artefacts from Python: what is returned, what is kept, what is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import pytest

import attest
from attest.api.sei import artefact_path, artefact_paths, public_point
from attest.errors import AttestError
from attest.formats.sei.signature import sign_artefact as sign_bytes
from attest.keys import PublicKey
from attest.limits import DEFAULT_LIMITS, Limits
from attest.signing.keyfile import FileKey
from attest.strictjson import JSON
from tests.sei import second

KEY = FileKey(second.private_key("ours"))
STRANGER = FileKey(second.private_key("a stranger"))
NAME = ".sei/reconstruct.json"


class Fickle:
    """As a key service signs: another signature each time, all of them valid."""

    def __init__(self) -> None:
        self.public = PublicKey(second.private_key("a service").public_key())
        self.asked = 0

    def sign(self, message: bytes) -> bytes:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        self.asked += 1
        return second.private_key("a service").sign(message, ec.ECDSA(hashes.SHA256()))


def write(repository: Path, **changes: object) -> attest.Signed:
    options: dict[str, object] = {"kind": "reconstruct", "system": "s", "payload": {}, "key": KEY}
    return attest.write_artefact(repository, **(options | changes))  # type: ignore[arg-type]  # as given


def code_of(repository: Path, **changes: object) -> tuple[str, int]:
    with pytest.raises(AttestError) as caught:
        write(repository, **changes)
    assert not (repository / ".sei").exists()
    return caught.value.code, caught.value.exit_code


def test_what_was_written_is_told_of_as_verified(tmp_path: Path) -> None:
    payload: Mapping[str, JSON] = {"standard": "iso/23894@2023", "z": 1, "a": [2.5, None]}
    signed = write(tmp_path, kind="conformance", payload=payload)
    assert signed.target == ".sei/conformance/iso_23894_2023.json"
    data = (tmp_path / signed.target).read_bytes()
    assert (signed.kind, signed.kept, signed.entry) == ("artefact", False, None)
    assert signed.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert signed.path == tmp_path / f"{signed.target}.sig"
    assert (signed.key_id, signed.identity) == (KEY.public.key_id.hex(), None)
    assert (signed.log_entries, signed.signed_at) == ((), ())
    assert list(payload) == ["standard", "z", "a"]


@pytest.mark.parametrize(
    ("changes", "code", "exit_code"),
    [
        ({"kind": "bundle"}, "invalid_kind", 2),
        ({"kind": ""}, "invalid_kind", 2),
        ({"system": ""}, "invalid_artefact", 1),
        ({"payload": {"x": float("nan")}}, "invalid_artefact", 1),
        ({"payload": {"x": b""}}, "invalid_artefact", 1),
        ({"kind": "conformance"}, "standard_needed", 2),
        ({"standard": "a/b@1"}, "invalid_standard_id", 2),
    ],
)
def test_what_could_not_be_read_again_is_not_written(
    changes: dict[str, object], code: str, exit_code: int, tmp_path: Path
) -> None:
    assert code_of(tmp_path, **changes) == (code, exit_code)


def test_limits_reach_writing_and_signing(tmp_path: Path) -> None:
    small = Limits(max_json_depth=16)
    deep: JSON = "x"
    for _ in range(16):
        deep = [deep]
    assert code_of(tmp_path, payload={"deep": deep}, limits=small) == ("json_too_deep", 1)
    write(tmp_path, payload={"deep": deep})
    (tmp_path / f"{NAME}.sig").unlink()
    with pytest.raises(AttestError, match="json_too_deep"):
        attest.sign_artefact(tmp_path, NAME, key=KEY, limits=small)
    (tmp_path / NAME).write_bytes(b" " * 2_000_000)
    small = Limits(max_artifact_bytes=1_048_576)
    with pytest.raises(AttestError, match="artifact_too_large"):
        attest.sign_artefact(tmp_path, NAME, key=KEY, limits=small)


def test_what_a_key_has_signed_is_not_kept_in_anothers_place(tmp_path: Path) -> None:
    write(tmp_path)
    other = tmp_path / ".sei/bundle.json"
    for suffix in ("", ".sig"):
        Path(f"{tmp_path / NAME}{suffix}").rename(f"{other}{suffix}")
    with pytest.raises(AttestError, match="kind_mismatch"):
        attest.sign_artefact(tmp_path, ".sei/bundle.json", key=KEY)


def test_what_a_key_has_signed_it_does_not_sign_again(tmp_path: Path) -> None:
    key = Fickle()
    write(tmp_path, key=key)
    before = (tmp_path / f"{NAME}.sig").read_bytes()
    kept = attest.sign_artefact(tmp_path, NAME, key=key)
    assert (kept.kept, key.asked) == (True, 1)
    assert (tmp_path / f"{NAME}.sig").read_bytes() == before


def test_what_another_program_signed_with_the_key_is_kept(tmp_path: Path) -> None:
    write(tmp_path)
    data = (tmp_path / NAME).read_bytes()
    payload = second.canonical(second.statement_of(data))
    parts = second.Parts(payload=payload).sign(second.private_key("ours"))
    (tmp_path / f"{NAME}.sig").write_bytes(parts.file())
    assert attest.sign_artefact(tmp_path, NAME, key=KEY).kept
    assert (tmp_path / f"{NAME}.sig").read_bytes() == parts.file()


@pytest.mark.parametrize("stale", ["another's", "other bytes", "broken", "missing", "a folder"])
def test_what_is_no_signature_of_it_is_replaced(stale: str, tmp_path: Path) -> None:
    write(tmp_path)
    signature = tmp_path / f"{NAME}.sig"
    if stale == "another's":
        signature.write_bytes(sign_bytes((tmp_path / NAME).read_bytes(), NAME, STRANGER))
    elif stale == "other bytes":
        signature.write_bytes(sign_bytes(b"{}", NAME, KEY))
    elif stale == "broken":
        signature.write_bytes(signature.read_bytes()[:-9])
    else:
        signature.unlink()
    if stale == "a folder":
        signature.mkdir()
        with pytest.raises(attest.UsageError) as caught:
            attest.sign_artefact(tmp_path, NAME, key=KEY)
        assert caught.value.code == "unwritable_file"
        return
    assert not attest.sign_artefact(tmp_path, NAME, key=KEY).kept
    assert attest.verify_artefacts(tmp_path, keys=[KEY.public])


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("x.json", "not_an_artefact"),
        (".sei/x.json", "not_an_artefact"),
        (".sei/../.sei/reconstruct.json", "not_an_artefact"),
        ("/etc/passwd", "not_an_artefact"),
        (".sei/bundle.json", "file_not_found"),
    ],
)
def test_nothing_else_is_signed(path: str, code: str, tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(attest.UsageError) as caught:
        attest.sign_artefact(tmp_path, path, key=KEY)
    assert caught.value.code == code


def test_paths_as_people_type_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)
    monkeypatch.chdir(tmp_path / ".sei")
    for repository, name in [
        (Path(".."), "reconstruct.json"),
        (Path(".."), "./reconstruct.json"),
        (tmp_path, str(tmp_path / NAME)),
        (tmp_path, "../.sei/reconstruct.json"),
    ]:
        assert str(artefact_path(repository, name)) == NAME
    for repository, name in [(Path(), "reconstruct.json"), (tmp_path, "../reconstruct.json")]:
        with pytest.raises(attest.UsageError, match="not_an_artefact"):
            artefact_path(repository, name)


def test_strangers_among_the_artefacts_are_not_signed(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / ".sei" / "notes.txt").write_bytes(b"")
    found = artefact_paths(tmp_path, limits=DEFAULT_LIMITS)
    assert [str(item) for item in found] == [NAME]


def test_a_key_is_printed_as_it_is_registered() -> None:
    point, keyid = public_point(KEY.public)
    assert keyid == second.keyid(second.private_key("ours").public_key())
    assert point == second.point(second.private_key("ours").public_key()).hex()
