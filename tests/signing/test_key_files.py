"""Key files: read strictly, written for one pair of eyes, never over anything, never in words."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import PrivateFormat, load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st

from attest.api.key import generate_key, import_key, is_shared, open_key, public_key_of
from attest.errors import UsageError
from attest.keys import PublicKey
from attest.publickey import load_public_key
from attest.signing.keyfile import KINDS, MAX_BYTES, FileKey, parse_private_key
from tests.signing.keys import PASSPHRASE, key_of, nothing, pem_of, public_of, written

SEC1 = PrivateFormat.TraditionalOpenSSL
MESSAGE = b"what is signed"


def given_passphrase() -> bytes:
    return PASSPHRASE


def no_passphrase() -> bytes:
    raise UsageError("passphrase_missing", "none")


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(UsageError) as caught:
        call()
    assert caught.value.exit_code == 2
    assert PASSPHRASE.decode() not in f"{caught.value!r} {caught.value} {caught.value.hint}"
    return caught.value.code


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_key_is_encrypted_and_its_public_half_stands_beside_it(
    kind: str, tmp_path: Path
) -> None:
    out = tmp_path / "k"
    public = generate_key(out, kind=kind, passphrase=given_passphrase)  # type: ignore[arg-type]  # of KINDS
    key = load_pem_private_key(out.read_bytes(), password=PASSPHRASE)
    assert out.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert PublicKey(key.public_key()) == public == load_public_key(tmp_path / "k.pub")


def test_without_a_passphrase_it_is_plain_pkcs8(tmp_path: Path) -> None:
    generate_key(tmp_path / "k", passphrase=None)
    assert (tmp_path / "k").read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")


@pytest.mark.skipif(os.name == "nt", reason="files have no modes there")
def test_nobody_else_may_read_it_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        generate_key(tmp_path / "k", passphrase=None)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "k").stat().st_mode) == 0o600
    assert not is_shared(tmp_path / "k")
    assert is_shared(written(tmp_path / "open", b"", mode=0o640))


@pytest.mark.parametrize("taken", ["k", "k.pub"])
def test_what_is_there_is_never_overwritten(taken: str, tmp_path: Path) -> None:
    (tmp_path / taken).write_bytes(b"precious")
    code = refusal(lambda: generate_key(tmp_path / "k", passphrase=nothing))
    assert code == "file_exists"
    assert [path.name for path in tmp_path.iterdir()] == [taken]
    assert (tmp_path / taken).read_bytes() == b"precious"


def test_a_link_to_nowhere_is_a_taken_name(tmp_path: Path) -> None:
    (tmp_path / "k").symlink_to(tmp_path / "elsewhere")
    assert refusal(lambda: generate_key(tmp_path / "k", passphrase=None)) == "file_exists"
    assert not (tmp_path / "elsewhere").exists()


def test_a_key_whose_public_half_cannot_be_written_is_not_left_behind(tmp_path: Path) -> None:
    def race() -> bytes:
        (tmp_path / "k.pub").write_bytes(b"somebody else's, a moment ago")
        return PASSPHRASE

    assert refusal(lambda: generate_key(tmp_path / "k", passphrase=race)) == "file_exists"
    assert [path.name for path in tmp_path.iterdir()] == ["k.pub"]


@pytest.mark.parametrize("passphrase", [lambda: b"", no_passphrase])
def test_no_passphrase_is_no_key(passphrase: Callable[[], bytes], tmp_path: Path) -> None:
    refusal(lambda: generate_key(tmp_path / "k", passphrase=passphrase))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
def test_keys_of_other_tools_are_imported(
    kind: str, passphrase: bytes | None, tmp_path: Path
) -> None:
    source = written(tmp_path / "s", pem_of(kind, passphrase))
    import_key(source, tmp_path / "k", passphrase=given_passphrase, new_passphrase=given_passphrase)
    assert (tmp_path / "k.pub").read_bytes() == public_of(kind)
    opened = open_key(str(tmp_path / "k"), passphrase=given_passphrase)
    opened.public.verify(opened.sign(MESSAGE), MESSAGE)


@pytest.mark.parametrize("kind", ["p256", "p384"])
def test_sec1_is_read_also_after_its_parameters(kind: str, tmp_path: Path) -> None:
    for before in (
        b"",
        b"-----BEGIN EC PARAMETERS-----\nBgUrgQQAIg==\n-----END EC PARAMETERS-----\n",
    ):
        source = written(tmp_path / "s", before + pem_of(kind, form=SEC1))
        assert public_key_of(str(source), passphrase=nothing).pem == public_of(kind)


def test_the_public_half_is_read_from_a_public_file_too(tmp_path: Path) -> None:
    source = written(tmp_path / "s", public_of("p256"))
    assert public_key_of(str(source), passphrase=nothing).pem == public_of("p256")


def block(label: str, body: str = "AAAA") -> bytes:
    return f"-----BEGIN {label}-----\n{body}\n-----END {label}-----\n".encode()


REFUSED = {
    "a public key": (public_of("p256"), "public_key_given"),
    "a private key and its public one": (pem_of("p256") + public_of("p256"), "public_key_given"),
    "a certificate": (
        block("CERTIFICATE"),
        "certificate_given",
    ),
    "RSA": (pem_of("rsa"), "unsupported_key_kind"),
    "RSA in its own form": (pem_of("rsa", form=SEC1), "unsupported_key_kind"),
    "RSA, encrypted": (pem_of("rsa", PASSPHRASE), "unsupported_key_kind"),
    "P-521": (pem_of("p521"), "unsupported_key_kind"),
    "secp256k1": (pem_of("secp256k1"), "unsupported_key_kind"),
    "OpenSSH": (
        block("OPENSSH PRIVATE KEY"),
        "unsupported_key_kind",
    ),
    "cosign's": (
        block("ENCRYPTED SIGSTORE PRIVATE KEY"),
        "cosign_key_given",
    ),
    "two keys": (pem_of("p256") * 2, "invalid_private_key"),
    "text before it": (b"Bag Attributes\n" + pem_of("p256"), "invalid_private_key"),
    "text after it": (pem_of("p256") + b"x", "invalid_private_key"),
    "nothing": (b"", "invalid_private_key"),
    "no PEM": (b"\x30\x81\x00", "invalid_private_key"),
    "cut off": (pem_of("p256")[:-60], "invalid_private_key"),
    "no key in it": (
        block("PRIVATE KEY"),
        "invalid_private_key",
    ),
    "too large": (pem_of("p256") + b"\n" * MAX_BYTES, "invalid_private_key"),
    "encrypted, cut": (
        pem_of("p256", PASSPHRASE).replace(b"M", b"", 1),
        "passphrase_wrong",
    ),
    "encrypted as OpenSSL once did": (
        block("EC PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA"),
        "unsupported_key_encryption",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_private_key_of_ours_is_refused(name: str, tmp_path: Path) -> None:
    data, code = REFUSED[name]
    source = written(tmp_path / "s", data)
    assert refusal(lambda: open_key(str(source), passphrase=given_passphrase)) == code


@pytest.mark.parametrize("wrong", [b"", b"correct horse ", b"Correct horse", b"\xff"])
def test_a_wrong_passphrase_opens_nothing(wrong: bytes, tmp_path: Path) -> None:
    source = written(tmp_path / "s", pem_of("p256", PASSPHRASE))

    def import_it() -> None:
        import_key(source, tmp_path / "k", passphrase=lambda: wrong, new_passphrase=None)

    assert refusal(import_it) == "passphrase_wrong"
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_a_plain_key_asks_for_no_passphrase() -> None:
    parse_private_key(pem_of("p256"), nothing, where="k")


@pytest.mark.parametrize(
    ("kind", "algorithm"), [("p256", hashes.SHA256()), ("p384", hashes.SHA384())]
)
def test_ecdsa_is_deterministic_and_differs_between_messages(
    kind: str, algorithm: hashes.HashAlgorithm
) -> None:
    key = FileKey(key_of(kind))  # type: ignore[arg-type]  # EC by its name
    assert key.sign(MESSAGE) == key.sign(MESSAGE) != key.sign(MESSAGE + b".")
    digest = hashes.Hash(algorithm)
    digest.update(MESSAGE)
    assert key.sign_digest(digest.finalize()) == key.sign(MESSAGE)


def test_it_is_the_nonce_of_rfc_6979() -> None:
    # Appendix A.2.5, message "sample", SHA-256.
    secret = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
    signature = FileKey(ec.derive_private_key(secret, ec.SECP256R1())).sign(b"sample")
    r = "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
    s = "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
    assert signature.hex().upper() == f"3046022100{r}022100{s}"


def test_ed25519_signs_no_digest() -> None:
    with pytest.raises(ValueError, match="itself"):
        FileKey(key_of("ed25519")).sign_digest(bytes(32))  # type: ignore[arg-type]  # by its name


def test_the_ids_are_those_of_the_spki_and_of_the_point() -> None:
    key = PublicKey(key_of("p256").public_key())
    assert key.point_id is not None
    assert key.ids == {key.key_id.hex(), key.point_id.hex()}
    assert PublicKey(key_of("ed25519").public_key()).point_id is None


@given(
    st.one_of(
        st.binary(max_size=200),
        st.tuples(st.integers(0, 240), st.binary(min_size=1, max_size=3)).map(
            lambda edit: pem_of("p256")[: edit[0]] + edit[1] + pem_of("p256")[edit[0] + 1 :]
        ),
    )
)
def test_any_other_text_is_the_same_key_or_an_error_of_ours(data: bytes) -> None:
    try:
        key = parse_private_key(data, no_passphrase, where="k")
    except UsageError:
        return
    # Text of PEM has slack: line breaks. Its key has none.
    assert PublicKey(key.public_key()).pem == public_of("p256")
