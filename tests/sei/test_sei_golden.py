"""Golden artefacts never change, verify everywhere, and not one of their bytes can be changed."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from attest.errors import MalformedEvidence, Untrusted, VerificationFailed
from attest.formats.sei.artefact import check_bundle, encode_artefact, parse_artefact
from attest.formats.sei.layout import check_place, kind_of
from attest.formats.sei.signature import (
    digests_of,
    parse_signature,
    sign_artefact,
    verify_signature,
)
from attest.publickey import parse_sec1_hex
from attest.verified import VerifiedAttestation
from tests.sei import golden, second

PINNED = {
    ".sei/bundle.json": "0c669d20c2359790dd5a442796621052913c0a5d37f62ccdf3f545b679a67a86",
    ".sei/bundle.json.sig": "244441a05b88f4991937589d7ab67c0e306812836696c377d1757758360ad42d",
    ".sei/conformance/eu_pren-18228_2026.json":
        "d5638e05954ad4062317db5224361bea134f8267ad0e2485dd084425dda514f0",
    ".sei/conformance/eu_pren-18228_2026.json.sig":
        "d9895c0b8423d230a5cfcab94023f58d7342dc9aa5badd37ac119a40989568f0",
    ".sei/conformance/iso_23894_2023.json":
        "e04bab7265dc0dda28922dee302dfd2834e083748035e6ea0c95b0fbc16a2cfa",
    ".sei/conformance/iso_23894_2023.json.sig":
        "1e5efb07466b2ab9adf688d4b5efd6b993cdc2cbf256d88728618a281c96aa68",
    ".sei/reconstruct.json": "dfe60c54591c8d59c47a4da04202480b69822cb97ad62e2cd9d5811ed04bf729",
    ".sei/reconstruct.json.sig": "0d358815afebe58d48ab0ad12c08547aa4f1b7c7128140d29174bc9c60fcd5d8",
    "public-key.hex": "f089cff81e824c16410a36bb7afce38b19b395fd6d1edd81bbf808a23c0ed49f",
}  # fmt: skip
ARTEFACTS = [name for name in PINNED if name.endswith(".json")]
POINT = (golden.FOLDER / golden.PUBLIC_KEY).read_text(encoding="ascii").strip()
KEY = parse_sec1_hex(POINT)


@cache
def read(name: str) -> bytes:
    return (golden.FOLDER / name).read_bytes()


def verified(sig: bytes, data: bytes) -> VerifiedAttestation:
    return verify_signature(parse_signature(sig, "x"), digests_of(data), (KEY,))


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_golden_files_are_as_they_were() -> None:
    found = digests(golden.FOLDER)
    assert found.pop("ORIGIN.md")
    assert found == PINNED


def test_the_same_is_written_today(tmp_path: Path) -> None:
    golden.write(tmp_path)
    assert digests(tmp_path) == PINNED
    golden.write(tmp_path)
    assert digests(tmp_path) == PINNED


@pytest.mark.parametrize("name", ARTEFACTS)
def test_every_golden_artefact_verifies(name: str) -> None:
    statement = verified(read(f"{name}.sig"), read(name)).statement
    assert statement is not None
    assert statement.subjects[0].name == name
    path = PurePosixPath(name)
    if kind_of(path) == "bundle":
        check_bundle(read(name), name)
    else:
        artefact = parse_artefact(read(name), name)
        check_place(artefact, path)
        assert encode_artefact(artefact) == read(name)


@pytest.mark.parametrize("name", ARTEFACTS)
def test_the_second_implementation_verifies_them(name: str) -> None:
    second.verify(read(f"{name}.sig"), read(name), bytes.fromhex(POINT))


@pytest.mark.parametrize("name", ARTEFACTS)
def test_one_artefacts_signature_is_no_others(name: str) -> None:
    for other in set(ARTEFACTS) - {name}:
        with pytest.raises(VerificationFailed) as caught:
            verified(read(f"{other}.sig"), read(name))
        assert caught.value.code == "digest_mismatch"


def changes(data: bytes, seed: int = 7) -> Iterator[bytes]:
    """Every byte as every other: first each place once, then the rest."""
    deltas = list(range(1, 256))
    random.Random(seed).shuffle(deltas)
    for turn in range(255):
        for at, byte in enumerate(data):
            delta = deltas[(turn + at) % 255]
            yield data[:at] + bytes([(byte + delta) % 256]) + data[at + 1 :]


def test_every_change_of_a_byte_is_among_the_changes() -> None:
    assert len(set(changes(b"abc"))) == 3 * 255
    assert b"abc" not in set(changes(b"abc"))


def sweep_of_the_artefact(name: str, turns: int) -> None:
    signature = parse_signature(read(f"{name}.sig"), "x")
    data = read(name)
    for changed in islice(changes(data), turns * len(data)):
        with pytest.raises(VerificationFailed) as caught:
            verify_signature(signature, digests_of(changed), (KEY,))
        assert caught.value.code == "digest_mismatch"


def sweep_of_the_signature(name: str, turns: int) -> None:
    sig, data = read(f"{name}.sig"), read(name)
    for changed in islice(changes(sig), turns * len(sig)):
        with pytest.raises((MalformedEvidence, VerificationFailed)) as caught:
            verified(changed, data)
        # Not one leaves it a stranger's, who would only be skipped.
        assert not isinstance(caught.value, Untrusted)


@pytest.mark.parametrize("name", ARTEFACTS)
def test_a_changed_byte_of_an_artefact_is_rejected(name: str) -> None:
    sweep_of_the_artefact(name, 1)


@pytest.mark.parametrize("name", ARTEFACTS)
def test_a_changed_byte_of_a_signature_is_rejected(name: str) -> None:
    sweep_of_the_signature(name, 1)


@pytest.mark.full
@pytest.mark.parametrize("name", ARTEFACTS)
def test_every_change_of_a_byte_of_an_artefact_is_rejected(name: str) -> None:
    sweep_of_the_artefact(name, 255)


@pytest.mark.full
@pytest.mark.parametrize("name", ARTEFACTS)
def test_every_change_of_a_byte_of_a_signature_is_rejected(name: str) -> None:
    sweep_of_the_signature(name, 255)


def bits(text: str) -> Iterator[str]:
    """A base64 text with each bit of its bytes turned in turn."""
    data = b64decode(text)
    for at in range(8 * len(data)):
        changed = bytearray(data)
        changed[at // 8] ^= 1 << at % 8
        yield b64encode(changed).decode()


@pytest.mark.parametrize("member", ["payload", "sig"])
def test_every_bit_of_what_is_encoded_is_bound(member: str) -> None:
    name = ".sei/bundle.json"
    document = json.loads(read(f"{name}.sig"))
    holder = document["signatures"][0] if member == "sig" else document
    for changed in bits(holder[member]):
        holder[member] = changed
        with pytest.raises(VerificationFailed) as caught:
            verified(json.dumps(document).encode(), read(name))
        assert caught.value.code == "signature_invalid"


Document = dict[str, Any]


def _spaced(document: Document) -> bytes:
    return b" \r\n\t" + json.dumps(document, indent=8).encode() + b"\n"


def _reversed(document: Document) -> bytes:
    document["signatures"] = [dict(reversed(document["signatures"][0].items()))]
    return json.dumps(dict(reversed(document.items()))).encode()


def _escaped(document: Document) -> bytes:
    return json.dumps(document).replace("/", "\\/").replace("a", "\\u0061").encode()


def _unpadded(document: Document) -> bytes:
    document["payload"] = document["payload"].rstrip("=")
    document["signatures"][0]["sig"] = document["signatures"][0]["sig"].rstrip("=")
    return json.dumps(document).encode()


def _more_members(document: Document) -> bytes:
    document["signatures"][0] |= {"cert": "x", "by": None}
    return json.dumps({"version": 9, **document, "time": "2026-11-21T00:00:00Z"}).encode()


def _other_s(document: Document) -> bytes:
    signature = document["signatures"][0]
    raw = b64decode(signature["sig"])
    s = second.ORDER - int.from_bytes(raw[32:], "big")
    signature["sig"] = b64encode(raw[:32] + s.to_bytes(32, "big")).decode()
    return json.dumps(document).encode()


#: All that may differ in a `.sig` without anybody's knowing.
UNBOUND: dict[str, Callable[[Document], bytes]] = {
    "white space": _spaced,
    "order of members": _reversed,
    "escapes in strings": _escaped,
    "padding of base64": _unpadded,
    "unknown members": _more_members,
    "s or n - s": _other_s,
}


@pytest.mark.parametrize("unbound", UNBOUND)
@pytest.mark.parametrize("name", ARTEFACTS)
def test_what_is_unbound_changes_nothing_that_could_be_reported(name: str, unbound: str) -> None:
    sig = read(f"{name}.sig")
    changed = UNBOUND[unbound](json.loads(sig))
    assert changed != sig
    assert verified(changed, read(name)) == verified(sig, read(name))


class Node:
    """Node's `crypto`: a line of JSON in, a line out."""

    def __init__(self) -> None:
        program = shutil.which("node")
        if program is None:
            pytest.skip("node is not installed")
        self._command = [program, str(Path(__file__).with_name("sei.js"))]

    def ask(self, questions: list[Document]) -> list[Document]:
        lines = "".join(f"{json.dumps(question)}\n" for question in questions)
        done = subprocess.run(
            self._command, input=lines.encode(), stdout=subprocess.PIPE, check=True, timeout=120
        )
        return [json.loads(line) for line in done.stdout.splitlines()]


def question(sig: bytes, data: bytes, point: str = POINT) -> Document:
    return {"sig": sig.decode(), "data": b64encode(data).decode(), "point": point}


@pytest.mark.extra
def test_node_verifies_what_we_sign_and_nothing_else() -> None:
    key = golden.golden_key()
    texts = [bytes([number]) * number for number in range(200)]
    files = [(read(f"{name}.sig"), read(name)) for name in ARTEFACTS]
    files += [(sign_artefact(data, "x", key), data) for data in texts]
    good = [question(*file) for file in files]
    other = second.point(second.private_key("a stranger").public_key()).hex()
    bad = [question(sig, data + b"x") for sig, data in files]
    bad += [question(sig, data, other) for sig, data in files]
    changed = list(islice(changes(read(".sei/bundle.json.sig")), 544))
    bad += [question(sig, read(".sei/bundle.json")) for sig in changed if sig.isascii()]
    answers = [answer["verified"] for answer in Node().ask(good + bad)]
    assert answers == [True] * len(good) + [False] * len(bad)


@pytest.mark.extra
def test_we_verify_what_node_signs() -> None:
    scalar = hashlib.sha256(golden.KEY_NAME).hexdigest()
    texts = [bytes([number]) * number for number in range(200)]
    asked = [{"scalar": scalar, "data": b64encode(data).decode(), "point": POINT} for data in texts]
    halves = set()
    for answer, data in zip(Node().ask(asked), texts, strict=True):
        verified(answer["sig"].encode(), data)
        raw = b64decode(json.loads(answer["sig"])["signatures"][0]["sig"])
        halves.add(int.from_bytes(raw[32:], "big") > second.ORDER // 2)
    assert halves == {True, False}  # it signs with high s as well
