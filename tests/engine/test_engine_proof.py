"""Step 5: inclusion proofs and the checkpoints that they lead to."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from attest.errors import MalformedEvidence
from tests.engine.log_edits import (
    BUNDLE,
    CHECKPOINT,
    KINDS,
    MALFORMED_CHECKPOINT,
    PROOF,
    Edit,
    Verdict,
    edited,
    set_at,
    verdict,
)
from tests.engine.virtual_evidence import (
    V1_DSSE,
    V2_DSSE,
    Evidence,
    sign,
    verify,
)
from tests.engine.virtual_instance import (
    HERE,
    NOW,
    Json,
    b64,
    parse_root,
    root_json,
    unb64,
)


def proof_of(entry: Json) -> Json:
    proof: Json = entry["inclusionProof"]
    return proof


def flip(text: str) -> str:
    data = bytearray(unb64(text))
    data[0] ^= 1
    return b64(bytes(data))


def too_long(entry: Json) -> None:
    proof_of(entry)["hashes"].append(b64(bytes(32)))


def too_short(entry: Json) -> None:
    proof_of(entry)["hashes"].pop()


def swap(entry: Json) -> None:
    hashes = proof_of(entry)["hashes"]
    assert hashes != hashes[::-1]
    hashes.reverse()


def grow_logs() -> None:
    """Add entries until the next one's proof has several hashes: one for each bit of the size."""
    while HERE.rekor1.size.bit_count() < 2:
        HERE.rekor1.add(b"{}", at=NOW)
    while HERE.rekor2.size.bit_count() < 2:
        HERE.rekor2.add(b"{}")


PROOFS: dict[str, tuple[Edit, Verdict]] = {
    "wrong hash": (lambda e: set_at(proof_of(e)["hashes"], (0,), b64(bytes(32))), PROOF),
    "hashes swapped": (swap, PROOF),
    "too long": (too_long, PROOF),
    "too short": (too_short, PROOF),
    "no hashes": (lambda e: proof_of(e).update(hashes=[]), PROOF),
    "hash of 31 bytes": (
        lambda e: set_at(proof_of(e)["hashes"], (0,), b64(bytes(31))),
        BUNDLE,
    ),
    "hash is null": (lambda e: set_at(proof_of(e)["hashes"], (0,), None), BUNDLE),
    "size zero": (lambda e: proof_of(e).update(treeSize="0"), PROOF),
    "size other than the checkpoint's": (
        lambda e: proof_of(e).update(treeSize=str(int(proof_of(e)["treeSize"]) + 1)),
        PROOF,
    ),
    "root other than the checkpoint's": (
        lambda e: proof_of(e).update(rootHash=flip(proof_of(e)["rootHash"])),
        PROOF,
    ),
    "root of 20 bytes": (lambda e: proof_of(e).update(rootHash=b64(bytes(20))), BUNDLE),
    "size negative": (lambda e: proof_of(e).update(treeSize="-1"), BUNDLE),
    "size beyond 64 bits": (lambda e: proof_of(e).update(treeSize=str(2**63)), BUNDLE),
    "size of thousands of digits": (lambda e: proof_of(e).update(treeSize="9" * 5000), BUNDLE),
    "size is a fraction": (lambda e: proof_of(e).update(treeSize=1.5), BUNDLE),
    "size is true": (lambda e: proof_of(e).update(treeSize=True), BUNDLE),
}


@pytest.mark.parametrize("kind", ["v1 dsse", "v2 dsse"])
@pytest.mark.parametrize("name", PROOFS)
def test_a_proof_that_does_not_lead_to_the_root(name: str, kind: str) -> None:
    edit, expected = PROOFS[name]
    grow_logs()
    assert verdict(edited(KINDS[kind], edit)) == expected


@pytest.mark.parametrize("index", ["size", "other", "huge"])
def test_an_index_outside_or_elsewhere_in_the_tree(index: str) -> None:
    def move(entry: Json) -> None:
        proof = proof_of(entry)
        at = int(proof["logIndex"])
        numbers = {"size": int(proof["treeSize"]), "other": at - 1, "huge": 2**63 - 1}
        proof["logIndex"] = str(numbers[index])

    assert verdict(edited(V1_DSSE, move)) == PROOF


def test_numbers_may_be_numbers_too() -> None:
    def plain(entry: Json) -> None:
        for holder in (entry, proof_of(entry)):
            for key in ("logIndex", "treeSize", "integratedTime"):
                if key in holder:
                    holder[key] = int(holder[key])

    assert verify(edited(V1_DSSE, plain)).level2


@pytest.mark.parametrize("evidence", [V1_DSSE, V2_DSSE])
def test_a_version_03_entry_needs_proof_and_checkpoint(evidence: Evidence) -> None:
    missing = (MalformedEvidence, "missing_inclusion_proof")
    assert verdict(edited(evidence, lambda e: e.pop("inclusionProof"))) == missing
    assert verdict(edited(evidence, lambda e: proof_of(e).pop("checkpoint"))) == missing
    empty: Edit = lambda e: proof_of(e).update(checkpoint={"envelope": ""})  # noqa: E731
    assert verdict(edited(evidence, empty)) == missing


# The checkpoint


def note(change: Callable[[str], str]) -> Edit:
    def edit(entry: Json) -> None:
        checkpoint = proof_of(entry)["checkpoint"]
        checkpoint["envelope"] = change(checkpoint["envelope"])

    return edit


def signed_note(text: str, evidence: Evidence, *, name: str | None = None) -> str:
    """A note with any text, signed as the log of this evidence would."""
    log = HERE.rekor2 if evidence.log == "v2" else HERE.rekor1
    signature = sign(log.key, text.encode())
    return f"{text}\n\u2014 {name or log.host} {b64(log.log_id[:4] + signature)}\n"


def resigned(change: Callable[[str], str], evidence: Evidence, name: str | None = None) -> Edit:
    def again(envelope: str) -> str:
        text = envelope.partition("\n\n")[0] + "\n"
        return signed_note(change(text), evidence, name=name)

    return note(again)


WITNESS = f"\u2014 witness.example/w1 {b64(b'abcd' + bytes(64))}\n"
NAMESAKE = "\u2014 {host} " + b64(b"abcd" + bytes(64)) + "\n"


def before(line: str) -> Callable[[str], str]:
    return lambda it: it.replace("\n\n", f"\n\n{line}", 1)


GOOD_NOTES: dict[str, Callable[[str], str]] = {
    "a witness behind": lambda it: it + WITNESS,
    "a witness before": before(WITNESS),
    "a witness before and behind": lambda it: before(WITNESS)(it) + WITNESS,
    "own line twice": lambda it: it + it.partition("\n\n")[2],
}


@pytest.mark.parametrize("kind", ["v1 dsse", "v2 dsse"])
@pytest.mark.parametrize("name", GOOD_NOTES)
def test_lines_of_other_signers_are_ignored_in_any_order(name: str, kind: str) -> None:
    assert verify(edited(KINDS[kind], note(GOOD_NOTES[name]))).level2


@pytest.mark.parametrize("kind", ["v1 dsse", "v2 dsse"])
def test_another_key_under_the_logs_name_is_another_signer(kind: str) -> None:
    host = (HERE.rekor2 if kind.startswith("v2") else HERE.rekor1).host
    assert verify(edited(KINDS[kind], note(before(NAMESAKE.format(host=host))))).level2


@pytest.mark.parametrize("kind", ["v1 dsse", "v2 dsse"])
def test_extension_lines_are_signed_and_allowed(kind: str) -> None:
    evidence = KINDS[kind]
    assert verify(edited(evidence, resigned(lambda it: it + "extension\n", evidence))).level2
    unsigned = note(lambda it: it.replace("\n\n", "\nextension\n\n", 1))
    assert verdict(edited(evidence, unsigned)) == CHECKPOINT


def own_line_broken(envelope: str) -> str:
    text, _, line = envelope.partition("\n\n")
    head, _, blob = line.strip().rpartition(" ")
    data = bytearray(unb64(blob))
    data[-1] ^= 1
    return f"{text}\n\n{head} {b64(bytes(data))}\n"


BAD_NOTES: dict[str, tuple[Callable[[str], str], Verdict]] = {
    "own line missing": (lambda it: it.partition("\n\n")[0] + "\n\n" + WITNESS, CHECKPOINT),
    "own line broken": (own_line_broken, CHECKPOINT),
    "own line broken beside a good one": (
        lambda it: it + own_line_broken(it).partition("\n\n")[2],
        CHECKPOINT,
    ),
    "own line under another name": (
        lambda it: it.replace("\u2014 rekor", "\u2014 other"),
        CHECKPOINT,
    ),
    "size changed": (lambda it: it.replace("\n", "\n1", 1), CHECKPOINT),
    "no newline at the end": (lambda it: it[:-1], MALFORMED_CHECKPOINT),
    "a line more at the end": (lambda it: it + "\n", MALFORMED_CHECKPOINT),
    "CRLF": (lambda it: it.replace("\n", "\r\n"), MALFORMED_CHECKPOINT),
    "no signature lines": (lambda it: it.partition("\n\n")[0] + "\n\n", MALFORMED_CHECKPOINT),
    "no blank line": (lambda it: it.replace("\n\n", "\n"), MALFORMED_CHECKPOINT),
    "a hyphen for the dash": (lambda it: it.replace("\u2014", "-"), MALFORMED_CHECKPOINT),
    "junk for a signature": (lambda it: it + "\u2014 witness ?\n", MALFORMED_CHECKPOINT),
    "a signature of three bytes": (lambda it: it + "\u2014 w YWJj\n", MALFORMED_CHECKPOINT),
    "a hundred witnesses": (lambda it: it + WITNESS * 100, MALFORMED_CHECKPOINT),
    "nothing": (lambda _: "\n\n\n", MALFORMED_CHECKPOINT),
    "NUL": (lambda _: "\x00", MALFORMED_CHECKPOINT),
}


@pytest.mark.parametrize("kind", ["v1 dsse", "v2 dsse"])
@pytest.mark.parametrize("name", BAD_NOTES)
def test_a_checkpoint_that_the_log_did_not_sign(name: str, kind: str) -> None:
    change, expected = BAD_NOTES[name]
    assert verdict(edited(KINDS[kind], note(change))) == expected


RESIGNED: dict[str, tuple[Callable[[str], str], Verdict]] = {
    "another size": (lambda it: it.replace("\n", "\n1", 1), PROOF),
    "size with a leading zero": (lambda it: it.replace("\n", "\n0", 1), MALFORMED_CHECKPOINT),
    "size with a sign": (lambda it: it.replace("\n", "\n+", 1), MALFORMED_CHECKPOINT),
    "another root": (
        lambda it: "\n".join([*it.split("\n")[:2], b64(bytes(32)), ""]),
        PROOF,
    ),
    "a root of 20 bytes": (
        lambda it: "\n".join([*it.split("\n")[:2], b64(bytes(20)), ""]),
        MALFORMED_CHECKPOINT,
    ),
    "another origin": (lambda it: "other.example" + it[it.index("\n") :], CHECKPOINT),
    "no origin": (lambda it: it[it.index("\n") :], MALFORMED_CHECKPOINT),
}


@pytest.mark.parametrize("kind", ["v1 dsse", "v2 dsse"])
@pytest.mark.parametrize("name", RESIGNED)
def test_a_checkpoint_that_the_log_signed_for_another_tree(name: str, kind: str) -> None:
    evidence = KINDS[kind]
    change, expected = RESIGNED[name]
    assert verdict(edited(evidence, resigned(change, evidence))) == expected


def test_an_origin_of_the_other_log_version() -> None:
    host, other = HERE.rekor1.host, HERE.rekor2.host
    bare = resigned(lambda it: host + it[it.index("\n") :], V1_DSSE)
    assert verdict(edited(V1_DSSE, bare)) == CHECKPOINT
    with_tree = resigned(lambda it: f"{other} - 123" + it[it.index("\n") :], V2_DSSE)
    assert verdict(edited(V2_DSSE, with_tree)) == CHECKPOINT


def test_a_v2_log_under_another_host() -> None:
    def move(root: Json) -> None:
        root["tlogs"][1]["baseUrl"] = "https://elsewhere.example"

    assert verdict(V2_DSSE.build(), parse_root(root_json(move))) == CHECKPOINT


def test_a_v1_origin_may_carry_a_port() -> None:
    change: Callable[[str], str] = lambda it: it.replace(" - ", ":8080 - ", 1)  # noqa: E731
    name = f"{HERE.rekor1.host}:8080"
    assert verify(edited(V1_DSSE, resigned(change, V1_DSSE, name=name))).level2
