"""What is drafted loads, lets in the signer whom it was drafted from, and nobody beside."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attest.api.policy import write_draft
from attest.claims import CertificateIdentity
from attest.cli.main import main
from attest.errors import AttestError, PolicyFileError
from attest.policy.draft import DraftedSigner, Origin, draft, signer_of
from attest.policy.lint import lint
from attest.policy.load import parse_policy
from attest.policy.rules import PolicyFile
from tests.policy.verified_makers import KEYS, NOW, attestation, decided, person, workflow

ORIGIN = Origin(
    name="a.epack",
    stream="acme/prod",
    predicate_types=("https://evidencepack.org/attestation/v1",),
)
REUSED = workflow(signer="https://github.com/other/ci/.github/workflows/s.yml@refs/tags/v1")


def loaded(*signers: DraftedSigner, origin: Origin | None = None) -> PolicyFile:
    return parse_policy(draft(signers, now=NOW, origin=origin).encode(), file="d", folder=None)


@pytest.mark.parametrize(
    "identity",
    [
        workflow(),
        workflow(number=None),
        REUSED,
        workflow("acme/x", path="w*.yml", ref="refs/heads/a*b"),
        person("ana@acme.example"),
        person("*@acme.example"),
        person("'quoted\"@acme.example"),
        CertificateIdentity(
            subject="https://acme.example/bot*", kind="uri", issuer="https://a.example", claims={}
        ),
    ],
    ids=lambda item: item.subject[:50],
)
def test_a_draft_lets_in_whom_it_was_drafted_from(identity: CertificateIdentity) -> None:
    policy = loaded(signer_of(identity), origin=ORIGIN)
    assert decided(policy, attestation(identity)).result == "pass"
    findings = [item.rule for item in lint(policy, now=NOW) if item.level != "note"]
    assert set(findings) <= {"trust_on_first_use", "regex_as_glob"}
    assert "trust_on_first_use" in findings


@pytest.mark.parametrize(
    ("of", "stranger"),
    [
        (workflow(), workflow("acme/other", number="1")),
        (workflow(), workflow(number="987654321")),
        (workflow(), workflow(path=".github/workflows/test.yml")),
        (workflow(), workflow(ref="refs/heads/dev")),
        (workflow(), workflow(runner_environment="self-hosted")),
        (workflow(), workflow(deployment_environment=None)),
        (workflow(), workflow(issuer="https://token.acme.example")),
        (workflow(), REUSED),
        (workflow(ref="refs/heads/a*b"), workflow(ref="refs/heads/axxb")),
        (person("*@acme.example"), person("eve@acme.example")),
        (person("ana@acme.example"), person("ana@acme.example", "https://other.example")),
    ],
)
def test_a_draft_lets_in_nobody_else(
    of: CertificateIdentity, stranger: CertificateIdentity
) -> None:
    decision = decided(loaded(signer_of(of)), attestation(stranger))
    assert (decision.result, decision.code) == ("fail", "certificate_identity_mismatch")


def test_everybody_who_was_found_must_have_signed() -> None:
    policy = loaded(signer_of(workflow()), signer_of(person("ana@acme.example")))
    both = (attestation(workflow()), attestation(person("ana@acme.example")))
    assert decided(policy, *both).result == "pass"
    assert [decided(policy, one).result for one in both] == ["fail", "fail"]


def test_a_key_is_written_inline() -> None:
    policy = loaded(DraftedSigner(name="release.pub", key=KEYS[0]))
    assert decided(policy, attestation(KEYS[0])).result == "pass"
    assert decided(policy, attestation(KEYS[1])).result == "fail"


def test_the_evidence_is_held_to_its_stream_and_type() -> None:
    policy = loaded(signer_of(workflow()), origin=ORIGIN)
    signed = attestation(workflow())
    assert decided(policy, signed, stream="acme/test").code == "stream_mismatch"
    other = attestation(workflow(), predicate_type="https://slsa.dev/provenance/v1")
    assert decided(policy, other).code == "predicate_type_mismatch"


def test_equal_signers_are_written_once_and_equal_names_told_apart() -> None:
    ana, other = person("ana@acme.example"), person("ana@audit.example")
    policy = loaded(signer_of(ana), signer_of(other), signer_of(ana))
    assert [rule.name for rule in policy.signers] == ["ana", "ana-2"]


@pytest.mark.parametrize("name", ["", "null", "1", "-", "é", "a b", "x" * 100, "true"])
def test_any_name_becomes_one_that_loads(name: str) -> None:
    loaded(DraftedSigner(name=name, members=signer_of(person("ana@acme.example")).members))


def test_a_draft_of_nobody_is_refused() -> None:
    with pytest.raises(PolicyFileError) as caught:
        draft([], now=NOW)
    assert caught.value.code == "policy_empty"


@settings(deadline=None)  # the machine may be busy
@given(
    subject=st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp"]), min_size=1)
)
def test_any_name_in_a_certificate_is_quoted_or_refused(subject: str) -> None:
    identity = CertificateIdentity(
        subject=f"https://{subject}", kind="uri", issuer="https://a.example", claims={}
    )
    try:
        policy = loaded(signer_of(identity))
    except PolicyFileError as error:
        refused: str | None = error.code
    else:
        refused = decided(policy, attestation(identity)).code
    assert refused in {None, "policy_invalid_value", "policy_too_large", "pattern_too_large"}


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    write_draft(path, "new")
    with pytest.raises(AttestError) as caught:
        write_draft(path, "newer")
    assert caught.value.code == "file_exists"
    assert path.read_text() == "new"


class Terminal(io.StringIO):
    """Standard input as a person gives it."""

    def isatty(self) -> bool:
        return True


def asked(answers: str, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.stdin", Terminal(answers))
    stdout, stderr = io.StringIO(), io.StringIO()
    code = main(["policy", "new"], stdout=stdout, stderr=stderr, environ={})
    return code, stdout.getvalue(), stderr.getvalue()


@pytest.mark.parametrize(
    ("answers", "identity"),
    [
        (
            "w\nacme/evidence\npack.yml\nrefs/heads/main\n",
            workflow(),
        ),
        # What is no answer is asked for again.
        ("x\np\nana\nana@acme.example\ngogle\ngoogle\n", person("ana@acme.example")),
    ],
)
def test_questions_on_a_terminal_make_a_policy(
    answers: str, identity: CertificateIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, text, talk = asked(answers, monkeypatch)
    assert code == 0
    policy = parse_policy(text.encode(), file="d", folder=None)
    assert decided(policy, attestation(identity)).result == "pass"
    assert [item for item in lint(policy, now=datetime.now(UTC)) if item.level != "note"] == []
    assert talk.count("?") == len(answers.splitlines())


@pytest.mark.parametrize("answers", ["", "w\n", "p\nana@acme.example\n"])
def test_no_answer_is_no_policy(answers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    code, text, talk = asked(answers, monkeypatch)
    assert (code, text) == (2, "")
    assert "error: no_policy:" in talk
