"""`attest sei` with the keys of its backends: what is printed, what is not, and what is written."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from attest.cli.main import main
from attest.keys import PublicKey
from attest.signing.sei_local import DEVELOPMENT_SCALAR
from tests.sei.key_manager import SECRET, KeyManager, answering, failing, running
from tests.sei.test_sei_backend import MINE, SCALAR, tree
from tests.signing.keys import pem_of, public_of, written

LOCAL = {"SEI_SIGNING_KEY": SCALAR}
ARTEFACT = ".sei/reconstruct.json"


@pytest.fixture
def service() -> Iterator[KeyManager]:
    with running(KeyManager()) as found:
        yield found


def attest(environ: dict[str, str], *words: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error, neither with a secret."""
    out, err = io.StringIO(), io.StringIO()
    code = main(["sei", *words], stdout=out, stderr=err, environ=environ)
    told = out.getvalue() + err.getvalue()
    assert not any(secret in told.lower() for secret in (SECRET[:8], SCALAR, DEVELOPMENT_SCALAR))
    return code, out.getvalue(), err.getvalue()


def write(environ: dict[str, str], repository: Path, *words: str) -> tuple[int, str, str]:
    payload = repository.parent / "payload.json"
    payload.write_text('{"steps": []}')
    made = ("--kind", "reconstruct", "--system", "loan", "--payload", str(payload))
    return attest(environ, "write", *made, "--repo", str(repository), *words)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    return folder


def hex_of(key: PublicKey) -> str:
    assert key.point is not None
    return key.point.hex()


def test_the_public_key_is_65_bytes_in_hex_or_pem(service: KeyManager, tmp_path: Path) -> None:
    file = str(written(tmp_path / "k.pem", pem_of("p256")))
    remote = PublicKey(service.key.public_key())
    for environ, words, pem in (
        (LOCAL, [], MINE.pem),
        (service.environ, [], remote.pem),
        (LOCAL, ["--key", file], public_of("p256")),
    ):
        code, out, err = attest(environ, "pubkey", *words)
        assert (code, len(out), out[:2], out[-1]) == (0, 131, "04", "\n")
        assert "WARNING" not in err
        assert attest(environ, "pubkey", "--pem", *words)[1].encode() == pem
    assert service.signing_requests == 0


def test_what_the_service_signed_verifies_by_what_it_prints(
    service: KeyManager, repository: Path
) -> None:
    assert write(service.environ, repository)[0] == 0
    printed = attest(service.environ, "pubkey")[1].strip()
    assert attest({}, "verify", "--repo", str(repository), "--pubkey", printed)[0] == 0
    assert attest({}, "verify", "--repo", str(repository), "--pubkey", hex_of(MINE))[0] == 1


FAILURES = {
    "refused": (failing(403, said={"message": f"{SECRET} may not"}), "key_service_failed"),
    "not json": (answering("sign", b"<html>"), "key_service_failed"),
    "not der": (answering("sign", {"signature": "AAAA"}), "key_signature_malformed"),
    "p-384": (answering("public-key", {"pem": public_of("p384").decode()}), "unsupported_key_kind"),
    "another key": (None, "key_signature_invalid"),
}


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("words", [[], ["-vv"], ["--output", "json"]])
def test_a_service_that_fails_writes_nothing_and_tells_no_secret(
    service: KeyManager, repository: Path, name: str, words: list[str]
) -> None:
    assert write(LOCAL, repository)[0] == 0
    before = tree(repository)
    meddling, expected = FAILURES[name]
    service.meddling = meddling or service.meddling
    if name == "another key":
        service.signs_with = ec.generate_private_key(ec.SECP256R1())
    code, out, err = write(service.environ, repository, *words)
    assert code == 2
    assert expected in out + err
    assert tree(repository) == before


def test_offline_the_service_is_not_asked(service: KeyManager, repository: Path) -> None:
    environ = {**service.environ, "ATTEST_OFFLINE": "1"}
    code, _, err = write(environ, repository)
    assert (code, service.asked, tree(repository)) == (2, [], {})
    assert "signing_needs_network" in err
    assert write({**LOCAL, "ATTEST_OFFLINE": "1"}, repository)[0] == 0


@pytest.mark.parametrize(
    ("environ", "code"),
    [
        ({"SEI_SIGNING_KEY": SCALAR[:-1]}, "invalid_scalar"),
        ({"SEI_SIGNING_KEY": ""}, "invalid_scalar"),
        ({"SEI_SIGNING_BACKEND": "kms", **LOCAL}, "unknown_signing_backend"),
        ({"SEI_SIGNING_BACKEND": "scaleway-kms", **LOCAL}, "setting_missing"),
    ],
)
def test_a_key_that_is_set_wrongly_signs_nothing(
    repository: Path, environ: dict[str, str], code: str
) -> None:
    for words in (["write"], ["pubkey"]):
        done = write(environ, repository) if words == ["write"] else attest(environ, *words)
        assert done[0] == 2
        assert code in done[2]
    assert tree(repository) == {}


@pytest.mark.parametrize("words", [[], ["-q"], ["--output", "json"]])
def test_the_development_key_is_warned_of_each_time(repository: Path, words: list[str]) -> None:
    for _ in range(2):
        code, _, err = write({}, repository, *words)
        assert code == 0
        assert "WARNING" in err
        assert "everybody has it" in err
    assert "WARNING" in attest({}, "pubkey", *words)[2]


def test_what_it_signed_is_whole_and_counts_for_nobody(repository: Path, tmp_path: Path) -> None:
    write({}, repository)
    shown = attest({}, "pubkey")[1].strip()
    pem = attest({}, "pubkey", "--pem")[1]
    policy = tmp_path / "policy.json"
    policy.write_text(
        json.dumps(
            {
                "version": 1,
                "expires": "2099-01-01T00:00:00Z",
                "signers": {"x": {"key": pem}},
                "require": ["x"],
                "log": "optional",
                "timestamp": "optional",
            }
        )
    )
    for who in (["--pubkey", shown], ["--pubkey", hex_of(MINE), "--pubkey", shown]):
        code, out, _ = attest({}, "verify", "--repo", str(repository), *who)
        assert (code, "development_key" in out) == (1, True)
    code, out, _ = attest({}, "verify", "--repo", str(repository), "--policy", str(policy))
    assert (code, "development_key" in out) == (1, True)
    code, out, _ = attest({}, "verify", "--repo", str(repository), "--integrity-only")
    assert (code, "everybody has" in out) == (0, True)
    assert attest(LOCAL, "sign", "--repo", str(repository))[0] == 0
    assert attest({}, "verify", "--repo", str(repository), "--pubkey", hex_of(MINE))[0] == 0
