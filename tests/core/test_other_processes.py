"""What a caller sends to other processes, and gets back from them, arrives as it was."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TypeVar

import pytest
from cryptography.exceptions import InvalidSignature

import attest
from attest import errors
from attest.api.verify import examine
from attest.errors import AttestError
from attest.keys import PublicKey
from attest.report.json import render
from attest.trust.root import TrustRoot
from tests.evidence import PERSON, PERSON_ISSUER, sandbox_evidence

T = TypeVar("T")

CLASSES = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, AttestError)
]


def sent(value: T) -> T:
    """The value as another process gets it."""
    arrived: T = pickle.loads(pickle.dumps(value))
    return arrived


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_keeps_all_that_it_says(kind: type[AttestError]) -> None:
    error = kind("some_code", "what was wrong", hint="do", where="there", rule="R-001")
    error.where = "elsewhere"
    arrived = sent(error)
    assert type(arrived) is kind
    assert vars(arrived) == vars(error)
    assert str(arrived) == str(error)
    assert arrived.args == error.args


def test_a_key_still_tells_signatures_apart() -> None:
    root = TrustRoot.embedded("sigstore")
    key = sent(root.logs[0].key)
    assert isinstance(key, PublicKey)
    assert (key.spki, key.details, key.digest) == (
        root.logs[0].key.spki,
        root.logs[0].key.details,
        root.logs[0].key.digest,
    )
    with pytest.raises(InvalidSignature):
        key.verify(b"0\x06\x02\x01\x01\x02\x01\x01", b"message")


def test_a_policy_keeps_its_keys() -> None:
    key = TrustRoot.embedded("sigstore").logs[0].key
    policy = attest.Policy.any_of(
        attest.Signer(key=key), attest.Signer(identity=PERSON, issuer=PERSON_ISSUER)
    )
    assert [item.key_id for item in sent(policy).keys] == [key.key_id]


@pytest.mark.parametrize("identity", [PERSON, "bob@acme.example"])
def test_root_and_policy_decide_there_as_here(tmp_path: Path, identity: str) -> None:
    evidence = sandbox_evidence()
    bundle = tmp_path / "what.txt.sigstore.json"
    bundle.write_bytes(evidence.bundles["v2-tsa-statement"])
    (tmp_path / "what.txt").write_bytes(b"what was signed\n")
    policy = attest.Policy.any_of(attest.Signer(identity=identity, issuer=PERSON_ISSUER))
    root = evidence.root()
    target = tmp_path / "what.txt"
    here = examine(target, policy=policy, trust=root)
    there = sent(examine(target, policy=sent(policy), trust=sent(root)))
    assert (there.result == "pass") == (identity == PERSON)
    assert render(there) == render(here)
