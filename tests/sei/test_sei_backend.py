"""The key is what the environment or a reference names, of P-256; its failures write nothing."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from attest.api.key import open_key
from attest.errors import AttestError
from attest.formats.sei.artefact import Artefact
from attest.formats.sei.store import sign_existing, write_artefact
from attest.keys import PublicKey
from attest.signing.sei_backend import checked_key, needs_network, open_backend
from attest.signing.sei_local import DEVELOPMENT_SCALAR
from attest.signing.transport import Patience
from tests.sei.key_manager import SECRET, KeyManager, answering, failing, running
from tests.signing.key_services import TOKEN, Service, serving
from tests.signing.keys import nothing, pem_of, public_of, written

SCALAR = "5a" * 32
MINE = PublicKey(ec.derive_private_key(int(SCALAR, 16), ec.SECP256R1()).public_key())
IMPATIENT = Patience(attempts=2, pause_seconds=0.01, total_seconds=1)
ARTEFACT = Artefact(kind="reconstruct", system="loan", payload={"steps": []})


@pytest.mark.parametrize("backend", [{}, {"SEI_SIGNING_BACKEND": "local"}])
def test_a_scalar_is_used_without_a_word(backend: dict[str, str]) -> None:
    with open_backend({**backend, "SEI_SIGNING_KEY": SCALAR}) as opened:
        assert opened.key.public == MINE
        assert opened.warning is None


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"SEI_SIGNING_BACKEND": "local"},
        {"SEI_SIGNING_KEY": DEVELOPMENT_SCALAR},
        {"SEI_SIGNING_KEY": DEVELOPMENT_SCALAR.upper()},
        {"SEI_SIGNING_KEY": "1".zfill(64)},
    ],
)
def test_a_key_that_everybody_has_signs_and_is_warned_of(environ: dict[str, str]) -> None:
    with open_backend(environ) as opened:
        opened.key.public.verify(opened.key.sign(b"x"), b"x")
    assert opened.warning is not None
    assert "everybody has it" in opened.warning
    assert "\n" not in opened.warning


def test_such_a_key_from_a_service_is_warned_of_too() -> None:
    everybodys = ec.derive_private_key(int(DEVELOPMENT_SCALAR, 16), ec.SECP256R1())
    with running(KeyManager(key=everybodys)) as service, open_backend(service.environ) as opened:
        assert opened.warning is not None


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("scaleway", "did you mean scaleway-kms?"),
        ("Local", "did you mean local?"),
        ("local ", "did you mean local?"),
        ("scaleway_kms", "did you mean scaleway-kms?"),
        ("aws", "there are: local, scaleway-kms"),
        ("", "there are: local, scaleway-kms"),
    ],
)
def test_an_unknown_backend_never_becomes_the_development_key(name: str, hint: str) -> None:
    with pytest.raises(AttestError) as raised, open_backend({"SEI_SIGNING_BACKEND": name}):
        pass
    error = raised.value
    assert (error.code, error.where) == ("unknown_signing_backend", "SEI_SIGNING_BACKEND")
    assert (error.exit_code, error.hint) == (2, hint)


def test_a_scalar_is_of_no_account_where_a_service_is_to_sign() -> None:
    environ = {**KeyManager().environ, "SEI_SIGNING_KEY": SCALAR}
    del environ["SCW_SECRET_KEY"]
    with pytest.raises(AttestError) as raised, open_backend(environ):
        pass
    assert (raised.value.code, raised.value.where) == ("setting_missing", "SCW_SECRET_KEY")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [({}, False), ({"SEI_SIGNING_BACKEND": "local"}, False), (KeyManager().environ, True)],
)
def test_only_a_service_needs_the_network(environ: Mapping[str, str], expected: bool) -> None:  # noqa: FBT001  # a row
    assert needs_network(environ) is expected


# Any other key, by reference


def referred(reference: str) -> PublicKey:
    opened = checked_key(open_key(reference, passphrase=nothing), where=reference)
    opened.key.public.verify(opened.key.sign(b"x"), b"x")
    assert opened.warning is None
    return opened.key.public


def test_a_key_file_signs(tmp_path: Path) -> None:
    file = written(tmp_path / "k.pem", pem_of("p256"))
    assert referred(str(file)).pem == public_of("p256")


@pytest.mark.parametrize("kind", ["p384", "ed25519", "rsa", "p521", "secp256k1"])
def test_a_key_file_of_another_kind_does_not(tmp_path: Path, kind: str) -> None:
    file = written(tmp_path / "k.pem", pem_of(kind))
    with pytest.raises(AttestError) as raised:
        referred(str(file))
    assert (raised.value.code, raised.value.where) == ("unsupported_key_kind", str(file))


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with serving(Service()) as service:
        monkeypatch.setenv("VAULT_ADDR", service.url)
        monkeypatch.setenv("VAULT_TOKEN", TOKEN)
        yield service


def test_a_key_in_a_service_signs_by_its_uri(vault: Service) -> None:
    assert referred("hashivault:release").spki == vault.spki


def test_a_key_in_a_service_of_another_kind_does_not(vault: Service) -> None:
    vault.kind = "ed25519"
    with pytest.raises(AttestError) as raised:
        referred("hashivault:release")
    assert raised.value.code == "unsupported_key_kind"


# Failures


def tree(folder: Path) -> dict[str, bytes]:
    files = (item for item in sorted(folder.rglob("*")) if item.is_file())
    return {str(item.relative_to(folder)): item.read_bytes() for item in files}


FAILURES = {
    "refused": (failing(403), "key_service_failed"),
    "busy": (failing(429), "key_service_failed"),
    "broken": (failing(500), "key_service_failed"),
    "not json": (answering("sign", b"<html>"), "key_service_failed"),
    "not der": (answering("sign", {"signature": "AAAA"}), "key_signature_malformed"),
    "p-384": (answering("public-key", {"pem": public_of("p384").decode()}), "unsupported_key_kind"),
    "slow": (None, "network_unreachable"),
    "cut": (None, "unexpected_answer"),
    "another key": (None, "key_signature_invalid"),
}


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("signed", [False, True])
def test_a_service_that_fails_leaves_everything_as_it_was(
    tmp_path: Path,
    name: str,
    signed: bool,  # noqa: FBT001  # a row
) -> None:
    if signed:
        with open_backend({"SEI_SIGNING_KEY": SCALAR}) as opened:
            write_artefact(tmp_path, ARTEFACT, opened.key)
    before = tree(tmp_path)
    meddling, code = FAILURES[name]
    service = KeyManager()
    service.meddling = meddling or service.meddling
    service.slow = 2.0 if name == "slow" else 0.0
    service.cuts = 9 if name == "cut" else 0
    service.signs_with = ec.generate_private_key(ec.SECP256R1()) if name == "another key" else None
    with (
        running(service),
        pytest.raises(AttestError) as raised,
        open_backend(service.environ, patience=IMPATIENT) as opened,
    ):
        write_artefact(tmp_path, ARTEFACT, opened.key)
    assert raised.value.code == code
    assert SECRET not in "".join(traceback.format_exception(raised.value))
    assert tree(tmp_path) == before


def test_a_service_that_recovers_signs_what_was_left_unsigned(tmp_path: Path) -> None:
    with open_backend({"SEI_SIGNING_KEY": SCALAR}) as opened:
        path = write_artefact(tmp_path, ARTEFACT, opened.key).path
    (tmp_path / f"{path}.sig").unlink()
    service = KeyManager(meddling=failing(429, times=1))
    with running(service), open_backend(service.environ, patience=IMPATIENT) as opened:
        stored = sign_existing(tmp_path, path, opened.key)
    assert tree(tmp_path) == {str(path): stored.data, f"{path}.sig": stored.signature}
