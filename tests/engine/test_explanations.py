"""Explanations: every step of whatever verdict, harmless text, no other report; and hints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from attest.api.verify import examine
from attest.bundle import parse_bundle
from attest.errors import MalformedEvidence
from attest.keys import PublicKey
from attest.policy.model import Policy, Signer
from attest.report.json import to_json
from attest.report.model import Report
from attest.report.text import render
from attest.trust.instance import InstanceProfile
from attest.trust.root import TrustRoot
from tests.engine.virtual_evidence import ARTIFACT, INTOTO, V1_DSSE, V2_MESSAGE, Evidence
from tests.engine.virtual_instance import ELSEWHERE, ROOT, make_ca, trusting
from tests.real_bundles import RealCase, needs_real_bundles

ANYBODY = Policy.unsafe_any_identity()
#: The instance that the evidence comes from, under a name, and one that nobody here trusts.
HOME = replace(ROOT, profile=InstanceProfile.private("home"))
STRANGE = replace(trusting(ca=ELSEWHERE.ca), logs=())


def judged(
    folder: Path,
    bundle: bytes,
    *,
    root: TrustRoot = ROOT,
    policy: Policy = ANYBODY,
    explain: bool = True,
) -> Report:
    target = folder / "evidence"
    target.write_bytes(ARTIFACT)
    target.with_name("evidence.sigstore.json").write_bytes(bundle)
    return examine(
        target, policy=policy, trust=root, others=lambda: [STRANGE, HOME], explain=explain
    )


def hint(report: Report) -> str:
    assert report.error is not None
    return report.error.hint or ""


BUNDLES = {
    "good": V1_DSSE.build(),
    "message": V2_MESSAGE.build(),
    "intoto": INTOTO.build(),
    "forged": replace(V1_DSSE, body=lambda body: body["spec"].update(payloadHash={})).build(),
    "escape": replace(V1_DSSE, payload=b"\x1b[2J\xff" * 1000).build(),
    "no bundle": b"{",
}


@pytest.mark.parametrize("name", BUNDLES)
def test_an_explanation_changes_nothing_else(name: str, tmp_path: Path) -> None:
    told = judged(tmp_path, BUNDLES[name])
    plain = judged(tmp_path, BUNDLES[name], explain=False)
    assert to_json(told) == to_json(plain)
    every = [*told.checks, *(check for item in told.attestations for check in item.checks)]
    assert all(check.seconds is not None and check.rule for check in every)
    every = [*plain.checks, *(check for item in plain.attestations for check in item.checks)]
    assert all(check.seconds is None and not check.compared for check in every)


@pytest.mark.parametrize("name", BUNDLES)
def test_nothing_in_it_commands_a_terminal(name: str, tmp_path: Path) -> None:
    text = render(judged(tmp_path, BUNDLES[name]), explain=True)
    assert "\x1b" not in text
    assert text.isprintable() or "\n" in text
    assert all(line.isprintable() for line in text.split("\n"))


def test_what_a_step_looked_at_is_told_though_it_failed(tmp_path: Path) -> None:
    report = judged(tmp_path, V1_DSSE.build(), root=STRANGE)
    (result,) = report.attestations
    (issuer,) = [check for check in result.checks if check.check == "3 issuer"]
    assert issuer.status == "skip"
    assert [item.what for item in issuer.compared] == ["certificate's issuer", "serial number"]
    assert issuer.compared[0].wanted not in (None, issuer.compared[0].found)


def test_evidence_of_a_known_instance_names_it(tmp_path: Path) -> None:
    report = judged(tmp_path, V1_DSSE.build(), root=STRANGE)
    assert (report.exit_code, report.error and report.error.code) == (1, "untrusted_certificate")
    assert hint(report).endswith("--instance home")


def test_evidence_by_a_key_is_known_by_its_log(tmp_path: Path) -> None:
    evidence = Evidence(by_key=True)
    policy = Policy.any_of(Signer(key=PublicKey(evidence.key.public_key())))
    report = judged(tmp_path, evidence.build(), root=STRANGE, policy=policy)
    assert report.error is not None
    assert report.error.code == "untrusted_log"
    assert hint(report).endswith("--instance home")


def test_evidence_that_nobody_knows_names_nobody(tmp_path: Path) -> None:
    report = judged(tmp_path, replace(V1_DSSE, parts=ELSEWHERE).build(), root=ROOT)
    # `STRANGE` lists that very authority, so that this root would be named first.
    assert hint(report).endswith("--instance virtual")
    elsewhere = replace(V1_DSSE, parts=replace(ELSEWHERE, ca=make_ca("nobody's")))
    assert "--instance, --trusted-root" in hint(judged(tmp_path, elsewhere.build()))


def test_a_key_that_was_not_given_is_not_the_instance_s_fault(tmp_path: Path) -> None:
    report = judged(tmp_path, Evidence(by_key=True).build())
    assert report.error is not None
    assert report.error.code == "untrusted_key"
    assert "--key" in hint(report)


@needs_real_bundles
def test_the_public_instance_is_known() -> None:
    case = RealCase.read("happy-path-v0.3")
    report = examine(
        case.artifact, policy=ANYBODY, trust=TrustRoot.embedded("staging"), bundle=case.bundle
    )
    assert hint(report).endswith("--instance sigstore")


def test_a_blob_signed_as_the_document_shows_is_told_why_it_fails() -> None:
    with pytest.raises(MalformedEvidence) as caught:
        parse_bundle(BUNDLES["message"], in_pack=True)
    assert caught.value.code == "missing_dsse_envelope"
    assert "cosign sign-blob" in (caught.value.hint or "")
