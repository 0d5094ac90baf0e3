"""`intoto` 0.0.2 entries: what they bind, what they leave open, and 0.0.1, which binds nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from attest.errors import AttestError, VerificationFailed
from tests.engine.log_edits import ENTRY, MALFORMED_ENTRY, UNSUPPORTED, Verdict, set_at
from tests.engine.test_engine_keys import KEY, public
from tests.engine.virtual_evidence import INTOTO, V1_MESSAGE, Evidence, entry_of, verify
from tests.engine.virtual_instance import Json, b64, unb64


def verdict(evidence: Evidence) -> Verdict:
    with pytest.raises(AttestError) as caught:
        verify(evidence.build(), keys=public(KEY))
    return type(caught.value), caught.value.code


INTOTO_EDITS: dict[str, tuple[Sequence[str | int], object, Verdict]] = {
    "another payload": (["payloadHash", "value"], "0" * 64, ENTRY),
    "another hash": (["payloadHash", "algorithm"], "sha512", ENTRY),
    "no payload hash": (["payloadHash"], None, MALFORMED_ENTRY),
    "hash of no hex": (["payloadHash", "value"], "X" * 64, MALFORMED_ENTRY),
    "another payload type": (["envelope", "payloadType"], "text/plain", ENTRY),
    "no payload type": (["envelope", "payloadType"], None, MALFORMED_ENTRY),
    "no envelope": (["envelope"], None, MALFORMED_ENTRY),
    "no signatures": (["envelope", "signatures"], [], MALFORMED_ENTRY),
    "another signature": (["envelope", "signatures", 0, "sig"], b64(b"AAAA"), ENTRY),
    "no signature": (["envelope", "signatures", 0, "sig"], None, MALFORMED_ENTRY),
    "a key id that is no text": (["envelope", "signatures", 0, "keyid"], 1, MALFORMED_ENTRY),
    "an unknown member": (["extra"], "x", MALFORMED_ENTRY),
    "an unknown member of the envelope": (["envelope", "payload"], "x", MALFORMED_ENTRY),
    "an unknown member of the signature": (["envelope", "signatures", 0, "x"], 1, MALFORMED_ENTRY),
}


@pytest.mark.parametrize("by_key", [True, False])
@pytest.mark.parametrize("name", INTOTO_EDITS)
def test_an_intoto_entry_binds_what_was_signed(name: str, *, by_key: bool) -> None:
    path, value, expected = INTOTO_EDITS[name]
    edit = lambda body: set_at(body["spec"]["content"], path, value)  # noqa: E731
    assert verdict(replace(INTOTO, by_key=by_key, body=edit)) == expected


def sig_of(body: Json) -> Json:
    signature: Json = body["spec"]["content"]["envelope"]["signatures"][0]
    return signature


def decoded_once(body: Json) -> None:
    sig_of(body)["sig"] = unb64(sig_of(body)["sig"]).decode()


def encoded_thrice(body: Json) -> None:
    sig_of(body)["sig"] = b64(sig_of(body)["sig"].encode())


def signed_twice(body: Json) -> None:
    body["spec"]["content"]["envelope"]["signatures"] *= 2


@pytest.mark.parametrize(
    ("edit", "expected"),
    [(decoded_once, ENTRY), (encoded_thrice, ENTRY), (signed_twice, MALFORMED_ENTRY)],
)
def test_an_intoto_signature_is_in_base64_twice(
    edit: Callable[[Json], object], expected: Verdict
) -> None:
    assert verdict(replace(INTOTO, body=edit)) == expected


def test_what_an_intoto_entry_leaves_open() -> None:
    def free(body: Json) -> None:
        body["spec"]["content"]["hash"] = {"algorithm": "sha256", "value": "00" * 32}
        sig_of(body)["keyid"] = "anything"

    assert verify(INTOTO.build()).level2
    assert verify(replace(INTOTO, body=free).build()).level2


def test_intoto_001_binds_no_signature_and_is_refused() -> None:
    def first(bundle: Json) -> None:
        entry_of(bundle)["kindVersion"]["version"] = "0.0.1"

    evidence = replace(
        INTOTO, body=lambda body: set_at(body, ["apiVersion"], "0.0.1"), bundle=first
    )
    with pytest.raises(VerificationFailed) as caught:
        verify(evidence.build())
    assert caught.value.code == "unsupported_log_entry"
    assert "which signature" in caught.value.message


def test_an_intoto_entry_is_for_envelopes() -> None:
    def claim(bundle: Json) -> None:
        entry_of(bundle)["kindVersion"] = {"kind": "intoto", "version": "0.0.2"}

    body = json.loads(base64.b64decode(entry_of(json.loads(INTOTO.build()))["canonicalizedBody"]))
    evidence = replace(V1_MESSAGE, raw_body=lambda _: json.dumps(body).encode(), bundle=claim)
    assert verdict(evidence) == UNSUPPORTED


def test_an_intoto_entry_has_a_set_and_two_indexes_as_all_of_v1_have() -> None:
    entry = verify(INTOTO.build()).log_entries[0]
    assert entry.index is not None
    assert entry.proof == "inclusion"
