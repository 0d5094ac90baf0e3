"""Signatures kept while the log is down: completed under the rules, or refused, never half-done."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path
from typing import Self

import pytest

from attest.api import pending
from attest.api.sign import Options, Signed, open_key_session, open_session
from attest.api.verify import verify
from attest.errors import AttestError, SigningError
from attest.oidc import IdentityToken
from attest.pack.builder import build_pack
from attest.policy.model import Policy, Signer
from attest.sandbox import Sandbox
from attest.signing import submit
from attest.signing.identity import TokenSource
from attest.signing.instance import SigningInstance
from attest.signing.keyed import SigningKey
from attest.signing.keyfile import FileKey, new_key
from attest.strictjson import JSON
from attest.trust.root import TrustRoot

ANA = Policy.any_of(Signer(identity="ana@acme.example", issuer="https://accounts.google.com"))
KEEP, RESUME = Options(keep=True), Options(keep=True, resume=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """Targets that were signed while the log was down, and the token that did it."""

    files: dict[str, bytes]
    token: IdentityToken


def nobody() -> TokenSource:
    """Whoever resumes needs no token."""

    def ask() -> str:
        raise SigningError("no_identity", "there is no token")

    return TokenSource("identity-token", ask)


def everything(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def entries(sandbox: Sandbox) -> int:
    return sandbox.instance.rekor1.size + sandbox.instance.rekor2.size


@pytest.fixture(scope="module")
def kept(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    folder = tmp_path_factory.mktemp("kept")
    (folder / "a.txt").write_text("content")
    build_pack(folder / "e.epack", [folder / "a.txt"], stream="acme/prod")
    before = everything(folder)
    token = IdentityToken.from_text(sandbox.person_token())
    instance = SigningInstance.from_file(sandbox.trust_config)
    size = entries(sandbox)
    sandbox.faults.inject("log-500")
    with open_session(token=token, instance=instance) as session:
        for name in before:
            with pytest.raises(SigningError) as caught:
                session.sign(folder / name, options=KEEP)
            assert caught.value.code == "signature_pending"
            assert caught.value.where == str(folder / f"{name}.pending.json")
    sandbox.faults.clear()
    assert entries(sandbox) == size
    after = everything(folder)
    assert before.items() <= after.items()
    assert after.keys() - before.keys() == {f"{name}.pending.json" for name in before}
    return Kept(files=after, token=token)


@pytest.fixture
def folder(kept: Kept, tmp_path: Path) -> Path:
    for name, data in kept.files.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


@pytest.fixture(autouse=True)
def _working(sandbox: Sandbox) -> Iterator[None]:
    yield
    sandbox.faults.clear()


def test_where_nothing_can_be_kept_the_log_is_told_of_first(
    tmp_path: Path, sandbox: Sandbox, instance: SigningInstance
) -> None:
    target, taken = tmp_path / "a.txt", tmp_path / "a.txt.pending.json"
    target.write_text("content")
    taken.mkdir()
    token = IdentityToken.from_text(sandbox.person_token())
    sandbox.faults.inject("log-500")
    opened = open_session(token=token, instance=instance)
    with opened as session, pytest.raises(SigningError) as caught:
        session.sign(target, options=KEEP)
    sandbox.faults.clear()
    assert caught.value.code == "log_unavailable"
    told = caught.value.message
    assert told.index("HTTP 500") < told.index("file_exists") < told.index(str(taken))
    assert sorted(path.name for path in tmp_path.iterdir()) == [target.name, taken.name]


def test_only_what_the_same_signer_kept_makes_way(
    folder: Path, sandbox: Sandbox, instance: SigningInstance
) -> None:
    target, place = folder / "a.txt", folder / "a.txt.pending.json"
    of_ana = place.read_bytes()
    sandbox.faults.inject("log-500")

    def sign_as(email: str) -> str:
        token = IdentityToken.from_text(sandbox.person_token(email))
        opened = open_session(token=token, instance=instance)
        with opened as session, pytest.raises(SigningError) as caught:
            session.sign(target, options=KEEP)
        return caught.value.code

    assert sign_as("bob@acme.example") == "log_unavailable"
    assert place.read_bytes() == of_ana
    assert sign_as("ana@acme.example") == "signature_pending"
    again = place.read_bytes()
    assert again != of_ana
    for foreign in (b"notes of mine", again[:-2], again.replace(b"pending.v1", b"pending.v2")):
        place.write_bytes(foreign)
        assert sign_as("ana@acme.example") == "log_unavailable"
        assert place.read_bytes() == foreign


def test_a_key_completes_only_what_it_signed(
    folder: Path, sandbox: Sandbox, instance: SigningInstance
) -> None:
    target = folder / "a.txt"
    mine, other = (FileKey(key=new_key("p256")) for _ in range(2))

    def sign_with(key: SigningKey, options: Options) -> Signed:
        with open_key_session(key=key, instance=instance) as session:
            return session.sign(target, options=options)

    error = refused(folder, sandbox, lambda: sign_with(mine, RESUME))  # kept by an identity
    assert error.code == "pending_mismatch"
    (folder / "a.txt.pending.json").unlink()
    sandbox.faults.inject("log-500")
    with pytest.raises(SigningError):
        sign_with(mine, KEEP)
    sandbox.faults.clear()
    error = refused(folder, sandbox, lambda: sign_with(other, RESUME))
    assert error.code == "pending_mismatch"
    assert sign_with(mine, RESUME).key_id == mine.public.key_id.hex()


def test_what_a_key_of_another_digest_signed_is_completed_without_it(
    folder: Path, sandbox: Sandbox, instance: SigningInstance
) -> None:
    target, key = folder / "b.txt", FileKey(key=new_key("p384"))
    target.write_text("content")
    sandbox.faults.inject("log-500")
    opened = open_key_session(key=key, instance=instance)
    with opened as session, pytest.raises(SigningError):
        session.sign(target, options=KEEP)
    sandbox.faults.clear()
    completed = resume(target, instance)
    assert completed.key_id == key.public.key_id.hex()
    assert completed.digest.startswith("sha384:")


def resume(target: Path, instance: SigningInstance, source: TokenSource | None = None) -> Signed:
    with open_session(token=source or nobody(), instance=instance) as session:
        return session.sign(target, options=RESUME)


def refused(folder: Path, sandbox: Sandbox, attempt: Callable[[], object]) -> SigningError:
    """The error of an attempt that changes no file and logs nothing."""
    before, size = everything(folder), entries(sandbox)
    with pytest.raises(SigningError) as caught:
        attempt()
    assert everything(folder) == before
    assert entries(sandbox) == size
    return caught.value


def test_what_is_kept_holds_no_secret(kept: Kept) -> None:
    for name in ("a.txt.pending.json", "e.epack.pending.json"):
        text = kept.files[name].decode()
        assert not any(part in text for part in kept.token.reveal().split("."))
        assert "PRIVATE" not in text
        assert set(json.loads(text)) == {"mediaType", "signed"}


@pytest.mark.parametrize("name", ["a.txt", "e.epack"])
def test_it_is_completed_without_a_token(
    folder: Path, sandbox: Sandbox, instance: SigningInstance, name: str
) -> None:
    size = entries(sandbox)
    signed = resume(folder / name, instance)
    assert (signed.resumed, signed.kept, signed.identity) == (True, False, "ana@acme.example")
    assert entries(sandbox) == size + 1
    assert not (folder / f"{name}.pending.json").exists()
    root = TrustRoot.from_file(sandbox.trusted_root)
    assert verify(folder / name, policy=ANA, trust=root).result == "pass"


@pytest.mark.parametrize("name", ["a.txt", "e.epack"])
def test_what_was_signed_meanwhile_stays(
    folder: Path, sandbox: Sandbox, kept: Kept, instance: SigningInstance, name: str
) -> None:
    with open_session(token=kept.token, instance=instance) as session:
        first = session.sign(folder / name)
    size, before = entries(sandbox), first.path.read_bytes()
    again = resume(folder / name, instance)
    assert (again.kept, again.resumed) == (True, False)
    assert (entries(sandbox), first.path.read_bytes()) == (size, before)


def test_nothing_kept_is_signed_anew(
    folder: Path, kept: Kept, sandbox: Sandbox, instance: SigningInstance
) -> None:
    (folder / "a.txt.pending.json").unlink()
    error = refused(folder, sandbox, lambda: resume(folder / "a.txt", instance))
    assert error.code == "no_identity"
    signed = resume(folder / "a.txt", instance, TokenSource.of(kept.token))
    assert (signed.kept, signed.resumed) == (False, False)


def test_it_never_verifies(folder: Path, sandbox: Sandbox) -> None:
    root = TrustRoot.from_file(sandbox.trusted_root)
    waiting = folder / "a.txt.pending.json"
    with pytest.raises(AttestError) as caught:
        verify(folder / "a.txt", policy=ANA, trust=root, bundle=waiting)
    assert (caught.value.code, caught.value.exit_code) == ("bundle_pending", 1)
    waiting.rename(folder / "a.txt.sigstore.json")
    with pytest.raises(AttestError) as caught:
        verify(folder / "a.txt", policy=ANA, trust=root)
    assert (caught.value.code, caught.value.exit_code) == ("bundle_pending", 1)


def test_a_changed_target_is_not_completed(
    folder: Path, sandbox: Sandbox, instance: SigningInstance
) -> None:
    (folder / "a.txt").write_text("changed")
    build_pack(folder / "e.epack", [folder / "a.txt"], stream="acme/prod", replace=True)
    for name in ("a.txt", "e.epack"):
        error = refused(folder, sandbox, partial(resume, folder / name, instance))
        assert error.code == "pending_mismatch"


def test_a_log_that_is_still_down_costs_nothing(
    folder: Path, sandbox: Sandbox, instance: SigningInstance
) -> None:
    sandbox.faults.inject("log-500")
    error = refused(folder, sandbox, lambda: resume(folder / "a.txt", instance))
    assert error.code == "log_unavailable"
    assert "still kept" in (error.hint or "")


def test_another_instance_does_not_log_it(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with Sandbox.start(tmp_path_factory.mktemp("other")) as other:
        instance = SigningInstance.from_file(other.trust_config)
        error = refused(folder, other, lambda: resume(folder / "a.txt", instance))
    assert error.code == "pending_invalid"
    assert "instance" in (error.hint or "")


def _flipped(text: str) -> str:
    """Base64 of other bytes, in the middle."""
    middle = len(text) // 2
    return text[:middle] + ("A" if text[middle] != "A" else "B") + text[middle + 1 :]


def _edit(*path: str, to: Callable[[JSON], JSON] | None) -> Callable[[dict[str, JSON]], None]:
    def edit(document: dict[str, JSON]) -> None:
        place: dict[str, JSON] = document
        for name in path[:-1]:
            inner = place[name]
            assert isinstance(inner, dict)
            place = inner
        if to is None:
            del place[path[-1]]
        else:
            place[path[-1]] = to(place.get(path[-1]))

    return edit


EDITS: list[tuple[str, Callable[[dict[str, JSON]], None]]] = [
    ("malformed_pending", _edit("mediaType", to=lambda _: "application/json")),
    ("malformed_pending", _edit("mediaType", to=None)),
    ("malformed_pending", _edit("signed", to=None)),
    ("malformed_pending", _edit("more", to=lambda _: 1)),
    ("malformed_pending", _edit("signed", "more", to=lambda _: 1)),
    ("malformed_pending", _edit("signed", "signature", to=lambda _: "***")),
    ("malformed_pending", _edit("signed", "verifier", "certificate", to=lambda _: "AAAA")),
    ("malformed_pending", _edit("signed", "timestamps", to=lambda _: [1])),
    ("pending_mismatch", _edit("signed", "content", "sha256", to=lambda _: "0" * 64)),
    ("pending_invalid", _edit("signed", "signature", to=lambda v: _flipped(str(v)))),
    ("pending_invalid", _edit("signed", "timestamps", to=lambda _: [])),
    ("pending_invalid", _edit("signed", "timestamps", to=lambda _: ["MAA="])),
]


@pytest.mark.parametrize(("code", "edit"), EDITS)
def test_what_was_tampered_with_is_not_completed(
    folder: Path,
    sandbox: Sandbox,
    instance: SigningInstance,
    code: str,
    edit: Callable[[dict[str, JSON]], None],
) -> None:
    path = folder / "a.txt.pending.json"
    document = json.loads(path.read_text())
    edit(document)
    path.write_text(json.dumps(document))
    assert refused(folder, sandbox, lambda: resume(folder / "a.txt", instance)).code == code


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b'{"a":1,"a":2}', b"[" * 10_000])
def test_what_is_no_kept_signature(
    folder: Path, sandbox: Sandbox, instance: SigningInstance, data: bytes
) -> None:
    (folder / "a.txt.pending.json").write_bytes(data)
    error = refused(folder, sandbox, lambda: resume(folder / "a.txt", instance))
    assert error.code == "malformed_pending"


class AnHourLater(datetime):
    """The clock after the certificate has expired."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return super().now(tz) + timedelta(hours=1)


@pytest.fixture
def _an_hour_later(monkeypatch: pytest.MonkeyPatch) -> None:
    assert AnHourLater.now(UTC) > datetime.now(UTC) + timedelta(minutes=59)
    for module in (pending, submit):
        monkeypatch.setattr(module, "datetime", AnHourLater)


@pytest.mark.usefixtures("_an_hour_later")
def test_after_its_certificate_only_a_v2_log_takes_it(
    folder: Path, sandbox: Sandbox, instance: SigningInstance
) -> None:
    error = refused(folder, sandbox, lambda: resume(folder / "e.epack", instance))
    assert error.code == "certificate_expired"
    assert "without --resume" in (error.hint or "")
    signed = resume(folder / "e.epack", SigningInstance.from_file(sandbox.trust_config_v2))
    assert [entry.log_version for entry in signed.log_entries] == [2]
    root = TrustRoot.from_file(sandbox.trusted_root)
    assert verify(folder / "e.epack", policy=ANA, trust=root).result == "pass"


@pytest.mark.usefixtures("_an_hour_later")
def test_after_its_certificate_nothing_replaces_the_timestamp(
    folder: Path, sandbox: Sandbox
) -> None:
    path = folder / "a.txt.pending.json"
    document = json.loads(path.read_text())
    document["signed"]["timestamps"] = []
    path.write_text(json.dumps(document))
    instance = SigningInstance.from_file(sandbox.trust_config_v2)
    assert refused(folder, sandbox, lambda: resume(folder / "a.txt", instance)).code == (
        "pending_invalid"
    )
