"""Keys of a policy: beside its file or in it, and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from attest.errors import PolicyFileError
from attest.keys import PublicKey
from attest.policy.load import load_policy, parse_policy
from attest.policy.rules import KeySigner
from tests.policy.policy_texts import PEMS, PRIVATE_KEYS

PRIVATE = PRIVATE_KEYS[0].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
ENCRYPTED = (
    PRIVATE_KEYS[0]
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    .decode()
)
TRADITIONAL = (
    PRIVATE_KEYS[0]
    .private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    .decode()
)
CURVE = ec.derive_private_key(1, ec.SECP256K1()).public_key().public_bytes(
    Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
).decode()  # fmt: skip
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def document(key: str) -> bytes:
    return json.dumps({"version": 1, "signers": {"k": {"key": key}}, "require": ["k"]}).encode()


def write(folder: Path, key: str) -> Path:
    path = folder / "policy.json"
    path.write_bytes(document(key))
    return path


def key_of(path: Path) -> PublicKey:
    (signer,) = load_policy(path).signers
    assert isinstance(signer, KeySigner)
    return signer.key


def code(path: Path) -> str:
    with pytest.raises(PolicyFileError) as caught:
        load_policy(path)
    column = document("").index(b'""') + 1
    assert str(caught.value.where) == f"{path}:1:{column}: signers.k.key"
    return caught.value.code


@pytest.mark.parametrize("name", ["release.pub", "keys/release.pub", "a b/ä.pem", "...", "-x"])
def test_a_key_lies_below_the_policy(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(PEMS[0])
    assert key_of(write(tmp_path, name)).spki == PublicKey(PRIVATE_KEYS[0].public_key()).spki


def test_a_key_stands_in_the_policy(tmp_path: Path) -> None:
    assert key_of(write(tmp_path, PEMS[0])) == key_of(write(tmp_path, "\n" + PEMS[0] + "\n\n"))


def test_paths_do_not_depend_on_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "k.pub").write_text(PEMS[0])
    (tmp_path / "k.pub").write_text(PEMS[1])
    write(tmp_path / "p", "k.pub")
    monkeypatch.chdir(tmp_path)
    assert key_of(Path("p/policy.json")).spki == PublicKey(PRIVATE_KEYS[0].public_key()).spki


@pytest.mark.parametrize(
    "name", ["../k.pub", "p/../k.pub", "..", ".", "./k.pub", "p//k.pub", "p/", "p/./k.pub"]
)
def test_a_path_that_could_leave_is_refused(tmp_path: Path, name: str) -> None:
    inner = tmp_path / "inner"
    (inner / "p").mkdir(parents=True)
    for folder in (tmp_path, inner, inner / "p"):
        (folder / "k.pub").write_text(PEMS[0])
    assert code(write(inner, name)) == "policy_path_not_allowed"


@pytest.mark.parametrize("name", ["/k.pub", "\\k.pub", "c:k.pub", "k\n.pub", "k\0"])
def test_a_path_of_another_kind_is_refused(tmp_path: Path, name: str) -> None:
    assert code(write(tmp_path, name)) == "policy_invalid_value"


def test_a_link_may_lead_elsewhere_in_the_folder_only(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    (inner / "data").mkdir(parents=True)
    (inner / "data" / "k.pub").write_text(PEMS[0])
    (tmp_path / "k.pub").write_text(PEMS[0])
    (inner / "in.pub").symlink_to("data/k.pub")
    (inner / "out.pub").symlink_to("../k.pub")
    (inner / "up").symlink_to("..", target_is_directory=True)
    (inner / "loop").symlink_to("loop")
    key_of(write(inner, "in.pub"))
    assert code(write(inner, "out.pub")) == "policy_path_not_allowed"
    assert code(write(inner, "up/k.pub")) == "policy_path_not_allowed"
    assert code(write(inner, "loop")) in ("policy_path_not_allowed", "unreadable_file")


def test_the_folder_may_be_reached_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "k.pub").write_text(PEMS[0])
    write(tmp_path / "real", "k.pub")
    (tmp_path / "link").symlink_to("real", target_is_directory=True)
    key_of(tmp_path / "link" / "policy.json")


BAD = {
    "private": (PRIVATE, "private_key_given"),
    "encrypted": (ENCRYPTED, "private_key_given"),
    "traditional": (TRADITIONAL, "private_key_given"),
    "beside its public half": (PEMS[0] + PRIVATE, "private_key_given"),
    "certificate": (CERTIFICATE, "certificate_given"),
    "two": (PEMS[0] + PEMS[1], "several_keys"),
    "of Bitcoin": (CURVE, "unsupported_key_kind"),
    "cut off": (PEMS[0][:80], "invalid_key"),
    "of another word": (PEMS[0].replace("PUBLIC KEY", "PGP KEY"), "invalid_key"),
    "with text behind": (PEMS[0] + "x", "invalid_key"),
    "of nothing": ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "invalid_key"),
}


@pytest.mark.parametrize("where", ["in the policy", "beside it"])
@pytest.mark.parametrize(("text", "expected"), BAD.values(), ids=BAD)
def test_what_is_no_public_key_is_refused(
    tmp_path: Path, text: str, expected: str, where: str
) -> None:
    (tmp_path / "k.pub").write_text(text)
    assert code(write(tmp_path, text if where == "in the policy" else "k.pub")) == expected


def test_no_byte_of_a_private_key_is_shown(tmp_path: Path) -> None:
    secret = "".join(PRIVATE.split("-----")[2].split())
    for text in (PRIVATE, PRIVATE.replace("\n", " "), PRIVATE.replace("\n", "")):
        with pytest.raises(PolicyFileError) as caught:
            load_policy(write(tmp_path, text))
        shown = f"{caught.value} {caught.value.hint}".replace(" ", "")
        assert secret[:8] not in shown


@pytest.mark.parametrize(
    ("name", "expected"), [("none.pub", "file_not_found"), ("keys", "unreadable_file")]
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str, expected: str) -> None:
    (tmp_path / "keys").mkdir()
    assert code(write(tmp_path, name)) == expected


def test_a_signed_policy_leads_to_no_other_file() -> None:
    parse_policy(document(PEMS[0]), file="p.json", folder=None)
    for changed in (
        document("k.pub"),
        document(PEMS[0]).replace(b'{"version"', b'{"trust": ["sigstore", "root.json"], "version"'),
    ):
        with pytest.raises(PolicyFileError) as caught:
            parse_policy(changed, file="p.json", folder=None)
        assert caught.value.code == "policy_path_not_allowed"


POINT = PublicKey(PRIVATE_KEYS[0].public_key()).point or b""


@pytest.mark.parametrize("text", [POINT.hex(), POINT.hex().upper()])
def test_a_key_may_be_the_hex_of_its_point(text: str, tmp_path: Path) -> None:
    assert key_of(write(tmp_path, text)).point == POINT


def test_a_signed_policy_may_have_it_too() -> None:
    (signer,) = parse_policy(document(POINT.hex()), file="policy.json", folder=None).signers
    assert isinstance(signer, KeySigner)
    assert signer.key.point == POINT


@pytest.mark.parametrize(
    "text",
    [
        "04" + POINT.hex()[4:] + "00",  # no point of the curve
        "02" + POINT.hex()[2:],
        "04" + 128 * "0",
    ],
)
def test_a_point_that_is_none_is_refused_and_looked_for_nowhere(text: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    (tmp_path / text).write_text(PEMS[0])
    assert code(path) == "invalid_key"
