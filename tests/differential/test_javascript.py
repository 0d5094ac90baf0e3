"""`@sigstore/verify` gives the verdict of `attest` on all that it supports, or it is listed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from attest.engine.content import ArtifactContent, PackContent
from attest.errors import AttestError
from attest.trust.root import TrustRoot
from tests.differential.javascript import PROGRAM, JavaScript, Question
from tests.differential.javascript_cases import (
    BY_KEY,
    CASES_ALSO,
    OWN,
    STRICTER_AT,
    is_listed,
    listed,
)
from tests.evidence import (
    ARTIFACT,
    ARTIFACT_DIGEST,
    KINDS,
    PERSON,
    PERSON_ISSUER,
    artifact_content,
    root_of,
    sandbox_evidence,
    verify,
)
from tests.mutation.kinds import EVERY_KIND, bundle_of
from tests.mutation.mutants import mutants
from tests.real_bundles import CASES, REAL, RealCase

SEED, EVERY = 20261121, 64
#: Rekor v2 keeps envelopes in a form that this version does not know: see `envelopes-in-v2`.
UNSUPPORTED = {"v2-tsa-pack", "v2-tsa-statement", "witnessed:v2-tsa-pack"}
SUPPORTED = [kind for kind in EVERY_KIND if kind not in UNSUPPORTED]

BY_IDENTITY = [name for name, code in CASES.items() if code != "untrusted_key"]


def question(
    kind: str, bundle: bytes, *, root: bytes | None = None, digest: bytes | None = None
) -> Question:
    evidence = sandbox_evidence()
    own = evidence.manifest_digest if kind.endswith("-pack") else ARTIFACT_DIGEST
    return Question(
        bundle=bundle,
        trusted_root=root or evidence.trusted_root,
        sha256=digest or own,
        artifact=ARTIFACT if digest is None else b"something else",
        identity=PERSON,
        issuer=PERSON_ISSUER,
    )


def code_of(data: bytes, content: PackContent | ArtifactContent, root: TrustRoot) -> str | None:
    """Our verdict: the code of the rejection, or None."""
    try:
        verify(data, content, root)
    except AttestError as error:
        return error.code
    return None


def test_the_document_lists_every_case_once() -> None:
    stricter, wider = listed()
    assert len({*stricter, *wider}) == len(stricter) + len(wider)
    assert {*stricter, *wider} <= {*CASES_ALSO, BY_KEY}
    assert {*OWN, BY_KEY} <= {*stricter, *wider}
    assert all(CASES_ALSO[name]().code is not None for name in stricter)
    assert all(CASES_ALSO[name]().code is None for name in wider if name != BY_KEY)
    assert set(STRICTER_AT.values()) <= set(stricter)


def test_the_lock_file_pins_everything_and_names_no_address() -> None:
    lock = json.loads((PROGRAM / "package-lock.json").read_text(encoding="utf-8"))
    wanted = json.loads((PROGRAM / "package.json").read_text(encoding="utf-8"))["dependencies"]
    packages = {name: item for name, item in lock["packages"].items() if name}
    assert all(item["integrity"].startswith("sha512-") for item in packages.values())
    assert not any("resolved" in item for item in packages.values())
    assert wanted["sigstore"] == "4.1.1"
    for name, version in wanted.items():
        assert packages[f"node_modules/{name}"]["version"] == version


@pytest.mark.extra
@pytest.mark.parametrize("kind", SUPPORTED)
def test_it_accepts_what_the_sandbox_signed(javascript: JavaScript, kind: str) -> None:
    assert javascript.objection(question(kind, bundle_of(kind))) is None


@pytest.mark.extra
@pytest.mark.parametrize("kind", KINDS)
def test_both_reject_it_where_something_else_is_asked(javascript: JavaScript, kind: str) -> None:
    evidence = sandbox_evidence()
    bundle = evidence.bundles[kind]
    elsewhere = json.loads(evidence.trusted_root)
    elsewhere["certificateAuthorities"] = []
    others = json.dumps(elsewhere).encode()
    digest = bytes(32)
    content: PackContent | ArtifactContent = artifact_content(digest)
    if kind.endswith("-pack"):
        content = PackContent(manifest_digest=digest)
    assert code_of(bundle, content, evidence.root()) is not None
    assert code_of(bundle, evidence.content(kind), root_of(others)) is not None
    good = question(kind, bundle)
    asked = [
        question(kind, bundle, digest=digest),
        question(kind, bundle, root=others),
        Question(**{**fields(good), "identity": "bo@acme.example"}),
        Question(**{**fields(good), "identity": PERSON.replace(".", "x")}),
        Question(**{**fields(good), "issuer": "https://accounts.example"}),
    ]
    assert None not in javascript.objections(asked)


def fields(item: Question) -> dict[str, Any]:
    return {name: getattr(item, name) for name in Question.__slots__}


@pytest.mark.extra
@pytest.mark.parametrize("name", CASES_ALSO)
def test_listed_cases_and_no_others_have_another_verdict(javascript: JavaScript, name: str) -> None:
    case = CASES_ALSO[name]()
    content = artifact_content(ARTIFACT_DIGEST)
    assert code_of(case.bundle, content, root_of(case.trusted_root)) == case.code
    objection = javascript.objection(question("message", case.bundle, root=case.trusted_root))
    stricter, wider = listed()
    differs = (objection is None) != (case.code is None)
    assert differs == (name in {*stricter, *wider}), objection


@pytest.mark.extra
@pytest.mark.parametrize("kind", SUPPORTED)
def test_of_each_single_change_both_say_the_same_or_it_is_listed(
    javascript: JavaScript, kind: str
) -> None:
    evidence = sandbox_evidence()
    changed = list(mutants(bundle_of(kind), seed=SEED, every=EVERY))
    ours = [code_of(item.data, evidence.content(kind), evidence.root()) for item in changed]
    theirs = javascript.objections(question(kind, item.data) for item in changed)
    agreed = 0
    for item, code, objection in zip(changed, ours, theirs, strict=True):
        if (code is None) == (objection is None):
            agreed += 1
        elif code is None:
            assert item.place == "messageSignature.messageDigest", (item.place, objection)
        else:
            assert is_listed(item, code), (item.place, item.change, code)
    assert agreed > len(changed) // 2


if REAL.is_dir():  # where they are missing nothing is skipped, which `make test-extra` forbids

    @pytest.mark.extra
    @pytest.mark.parametrize("name", BY_IDENTITY)
    def test_both_agree_on_real_bundles(javascript: JavaScript, name: str) -> None:
        case = RealCase.read(name)
        asked = Question(
            bundle=case.bundle.read_bytes(),
            trusted_root=case.trusted_root_bytes(),
            sha256=case.sha256,
            artifact=case.artifact.read_bytes(),
            identity=case.identity,
            issuer=case.issuer,
        )
        objection = javascript.objection(asked)
        unsupported = name == "rekor2-dsse-happy-path"  # `envelopes-in-v2`
        assert (objection is None) == (case.code is None and not unsupported), objection
