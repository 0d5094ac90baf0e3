"""A statement made for something else: not told apart by the document, but by a policy."""

from __future__ import annotations

from pathlib import Path

from attest.formats.sei.signature import PREDICATE_TYPE
from attest.policy.model import Policy
from tests.sei import second
from tests.sei.judging import ALL, BUNDLE, STRANGER, codes, judged, only, sign
from tests.sei.judging import repository as repository  # noqa: PLC0414  # a fixture


def test_a_policy_can_ask_what_a_signature_was_made_for(repository: Path, tmp_path: Path) -> None:
    for name in ALL:
        sign(repository, name, STRANGER)
    data = (repository / BUNDLE).read_bytes()
    statement = {**second.statement_of(data), "predicateType": "https://example.com/refused/v1"}
    made = second.Parts(payload=second.canonical(statement))
    made.sign(second.private_key("a stranger"))
    (repository / f"{BUNDLE}.sig").write_bytes(made.file())
    assert codes(judged(repository, STRANGER.public)) == dict.fromkeys(ALL)

    (tmp_path / "k.pub").write_bytes(STRANGER.public.pem)
    file = tmp_path / "policy.yaml"
    file.write_text(f"""\
version: 1
signers: {{k: {{key: k.pub}}}}
require: [k]
log: optional
timestamp: optional
evidence: {{predicate-type: "{PREDICATE_TYPE}"}}
""")
    reports = judged(repository, policy=Policy.load(file))
    assert codes(reports) == only(BUNDLE, "predicate_type_mismatch")
