"""Keys that everybody has: what they sign verifies, and counts for nobody, whoever lists them."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from attest.cli.main import main
from attest.denied_keys import DENIED_KEYS, denied_key
from attest.keys import PublicKey
from attest.policy.model import Policy, Signer
from attest.policy.rules import AnySigner, KeySigner, PolicyFile
from attest.signing.sei_local import DEVELOPMENT_SCALAR, open_local_key
from tests.engine.test_verify_targets import SIGNER, PackOf, outcome
from tests.engine.test_verify_targets import pack as pack  # noqa: PLC0414  # a fixture
from tests.engine.virtual_evidence import V1_MESSAGE
from tests.engine.virtual_instance import root_json
from tests.policy.verified_makers import (
    ANA,
    KEYS,
    attestation,
    code_of,
    key,
    line,
    people,
    person,
    policy,
)

#: RFC 6979, section A.2.5.
_EXAMPLE = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
PUBLISHED = {"development": int(DEVELOPMENT_SCALAR, 16), "one": 1, "rfc 6979": _EXAMPLE}
PRIVATE = {name: ec.derive_private_key(it, ec.SECP256R1()) for name, it in PUBLISHED.items()}
DENIED = {name: PublicKey(it.public_key()) for name, it in PRIVATE.items()}
EVERY = pytest.mark.parametrize("name", DENIED)


def test_the_list_has_these_keys_by_all_their_names() -> None:
    names = [(item.key_id, item.point_id, item.x) for item in DENIED_KEYS]
    assert names == [
        (it.key_id.hex(), it.point_id.hex(), it.point[1:33].hex())
        for it in DENIED.values()
        if it.point is not None and it.point_id is not None
    ]


def test_the_key_that_is_used_where_none_is_set_is_on_it() -> None:
    public = open_local_key({}).public
    assert public == DENIED["development"]
    assert denied_key(public.key_id.hex()) is not None
    assert public.point_id is not None
    assert denied_key(public.point_id.hex()) is not None


def test_other_keys_are_not_on_it() -> None:
    assert [denied_key(name) for it in KEYS for name in it.ids] == [None] * 8


# The evaluator


def listing(*names: str, **members: object) -> PolicyFile:
    rules = [KeySigner(name=name, key=DENIED[name]) for name in names]
    return policy([*rules, key("ours")], [line(*names, "ours")], **members)


@EVERY
def test_it_satisfies_no_policy_that_lists_it(name: str) -> None:
    assert code_of(listing(name), attestation(DENIED[name])) == "development_key"


def test_all_of_them_together_are_no_more() -> None:
    signed = [attestation(it) for it in DENIED.values()]
    assert code_of(listing(*DENIED), *signed) == "development_key"


@EVERY
def test_whoever_counts_still_counts_beside_it(name: str) -> None:
    assert code_of(listing(name), attestation(KEYS[0]), attestation(DENIED[name])) is None


@EVERY
def test_where_others_are_forbidden_it_is_one_though_it_is_listed(name: str) -> None:
    both = attestation(KEYS[0]), attestation(DENIED[name])
    assert code_of(listing(name, others="forbid"), *both) == "other_attestations"


@EVERY
def test_it_is_nobody_where_anybody_will_do(name: str) -> None:
    rules = policy([AnySigner(name="x")], [line("x")])
    assert code_of(rules, attestation(DENIED[name])) == "development_key"
    assert code_of(rules, attestation(KEYS[0])) is None


@EVERY
def test_it_is_none_of_two_that_are_needed(name: str) -> None:
    rules = policy(
        [KeySigner(name="x", key=DENIED[name]), key("ours")], [line("x", "ours", at_least=2)]
    )
    both = attestation(KEYS[0]), attestation(DENIED[name])
    assert code_of(rules, *both) == "development_key"


# Whole verifications


@EVERY
def test_a_pack_that_it_signed_is_refused_though_its_key_is_given(pack: PackOf, name: str) -> None:
    pack.add("aaaaaaaa", replace(pack.good, by_key=True, key=PRIVATE[name]))
    report = pack.examine(Policy.any_of(Signer(key=DENIED[name])))
    assert outcome(report) == ("fail", "development_key", ["pass"])
    assert report.exit_code == 1


def test_the_same_pack_by_another_key_passes(pack: PackOf) -> None:
    mine = ec.derive_private_key(0xA77E57, ec.SECP256R1())
    pack.add("aaaaaaaa", replace(pack.good, by_key=True, key=mine))
    report = pack.examine(Policy.any_of(Signer(key=PublicKey(mine.public_key()))))
    assert outcome(report) == ("pass", None, ["pass"])


@EVERY
@pytest.mark.parametrize("rules", [Policy.any_of(SIGNER), Policy.unsafe_any_identity()])
def test_a_certificate_for_it_makes_it_nobodys_own(pack: PackOf, name: str, rules: Policy) -> None:
    pack.add("aaaaaaaa", replace(pack.good, key=PRIVATE[name]))
    assert outcome(pack.examine(rules)) == ("fail", "development_key", ["pass"])


def test_a_certificate_is_judged_by_its_key_alone() -> None:
    x = bytes.fromhex(DENIED_KEYS[0].x)
    rules = policy([people("auditor", ANA)], [line("auditor")])
    for der, code in ((b"\x30" + x + b"\x00", "development_key"), (b"\x30" + x[:31], None)):
        assert code_of(rules, attestation(person(ANA), certificate=der)) == code


@EVERY
def test_attest_verify_takes_no_such_key(tmp_path: Path, name: str) -> None:
    report, key, root = (tmp_path / it for it in ("report.txt", "listed.pub", "root.json"))
    report.write_bytes(b"all is well")
    signed = replace(V1_MESSAGE, artifact=b"all is well", by_key=True, key=PRIVATE[name])
    Path(f"{report}.sigstore.json").write_bytes(signed.build())
    key.write_bytes(DENIED[name].pem)
    root.write_text(json.dumps(root_json()))
    words = ["verify", str(report), "--key", str(key), "--trusted-root", str(root)]
    out, err = io.StringIO(), io.StringIO()
    assert main(words, stdout=out, stderr=err, environ={}) == 1
    assert "development_key" in out.getvalue()
    assert "a key that not everybody has" in out.getvalue()
