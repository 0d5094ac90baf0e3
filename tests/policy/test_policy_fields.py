"""Each field against each shape of certificate: what it reads, and where case means nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from attest.claims import CLAIMS, CertificateIdentity
from attest.policy.fields import FIELDS, value_of
from attest.policy.rules import CertificateSigner, FieldRule, Pattern
from tests.policy.verified_makers import (
    ACTIONS,
    GITLAB,
    GOOGLE,
    attestation,
    ci,
    claim,
    decided,
    field,
    line,
    named,
    people,
    person,
    policy,
    workflow,
)

SHARED = "https://github.com/acme/shared/.github/workflows/sign.yml@refs/tags/v2"


def passes(rule: CertificateSigner, identity: CertificateIdentity) -> bool:
    return decided(policy([rule], [line(rule.name)]), attestation(identity)).result == "pass"


def gitlab(
    config: str = "https://gitlab.com/g/sub/p//.gitlab-ci.yml@refs/heads/main", **claims: str
) -> CertificateIdentity:
    said = {
        "build-signer-uri": config,
        "build-config-uri": config,
        "source-repository-uri": "https://gitlab.com/g/sub/p",
        "source-repository-identifier": "4711",
        "source-repository-ref": "refs/heads/main",
        "runner-environment": "gitlab-hosted",
        "build-trigger": "push",
        **{name.replace("_", "-"): value for name, value in claims.items()},
    }
    return CertificateIdentity(subject=config, kind="uri", issuer=GITLAB, claims=said)


def reused() -> CertificateIdentity:
    return workflow(signer=SHARED)


@pytest.mark.parametrize(
    ("name", "identity", "value"),
    [
        ("subject", person("Ana@acme.example"), "Ana@acme.example"),
        ("email", person("Ana@acme.example"), "Ana@acme.example"),
        ("email", person("sa@p.iam.gserviceaccount.com"), "sa@p.iam.gserviceaccount.com"),
        ("repository", workflow(), "acme/evidence"),
        ("repository-id", workflow(), "123456789"),
        ("owner-id", workflow(), "77"),
        ("workflow", workflow(), ".github/workflows/pack.yml"),
        ("workflow", reused(), ".github/workflows/pack.yml"),
        ("ref", workflow(ref="refs/tags/v1"), "refs/tags/v1"),
        ("commit", workflow(), "c" * 40),
        ("signer-repository", reused(), "acme/shared"),
        ("signer-workflow", reused(), ".github/workflows/sign.yml"),
        ("signer-ref", reused(), "refs/tags/v2"),
        ("signer-ref", workflow(signer=SHARED.replace("refs/tags/v2", "a" * 40)), "a" * 40),
        ("signer-ref", workflow(signer=SHARED.replace("refs/tags/v2", "a" * 64)), "a" * 64),
        ("runner", workflow(), "github-hosted"),
        ("trigger", workflow(), "push"),
        ("visibility", workflow(), "public"),
        ("environment", workflow(), "production"),
        ("repository", gitlab(), "g/sub/p"),
        ("workflow", gitlab(), ".gitlab-ci.yml"),
        ("signer-repository", gitlab(), "g/sub/p"),
        ("signer-workflow", gitlab(), ".gitlab-ci.yml"),
        ("signer-ref", gitlab(), "refs/heads/main"),
        ("runner", gitlab(), "gitlab-hosted"),
        # Branches with an `@` are common; only the first `@refs/` is in doubt.
        ("workflow", workflow(ref="refs/heads/bump/@types"), ".github/workflows/pack.yml"),
    ],
)
def test_a_field_reads_its_claim(name: str, identity: CertificateIdentity, value: str) -> None:
    rule = field(name, value)
    assert value_of(identity, rule) == value


@pytest.mark.parametrize(
    ("name", "identity"),
    [
        ("email", named("ana@acme.example", "uri")),
        ("email", named("ana@acme.example", "username")),
        ("repository", person("ana@acme.example")),
        ("repository", workflow(source_repository_uri="http://github.com/acme/evidence")),
        ("repository", workflow(source_repository_uri="https://github.com")),
        ("repository", workflow(source_repository_uri="https://github.com/")),
        ("environment", workflow(deployment_environment=None)),
        ("environment", workflow(deployment_environment="")),
        # Another repository's file, or another project whose path begins alike.
        ("workflow", workflow(build_config_uri=SHARED)),
        ("workflow", workflow(build_config_uri="https://github.com/acme/evidence-x/w.yml@refs/a")),
        ("workflow", gitlab("https://gitlab.com/g/sub/p/x//.gitlab-ci.yml@refs/heads/main")),
        ("workflow", workflow(source_repository_uri=None)),
        ("workflow", workflow(build_config_uri=None)),
        ("workflow", workflow(build_config_uri="acme/evidence/w.yml@refs/heads/main")),
        # Who may make a branch must not choose what is taken for the ref, or for the path.
        ("workflow", workflow(ref="refs/heads/x@refs/heads/main")),
        ("signer-ref", workflow(ref="refs/heads/x@refs/heads/main")),
        ("signer-workflow", workflow(ref="refs/heads/x@refs/heads/main")),
        ("signer-ref", workflow(ref="v1")),
        ("signer-ref", workflow(ref="a" * 39)),
        ("signer-workflow", workflow(ref="a" * 41)),
        # The certificate must say it twice.
        ("signer-workflow", workflow(build_signer_uri=SHARED)),
        ("signer-workflow", workflow(build_signer_uri=None)),
        ("signer-workflow", named("https://github.com/a/b@refs/heads/main")),
        ("signer-repository", workflow(signer="https://github.com/acme/x@refs/heads/main")),
        ("signer-workflow", workflow(signer="http://github.com/a/b/w.yml@refs/heads/main")),
        ("signer-workflow", workflow(signer="https://github.com")),
        ("signer-workflow", replace(workflow(), kind="username")),
        ("signer-repository", replace(workflow(), kind="email")),
        # No repository is none, whatever its workflow's address begins with.
        ("workflow", workflow(source_repository_uri=None, build_config_uri="None/w.yml@refs/a")),
    ],
)
def test_an_absent_claim_matches_nothing(name: str, identity: CertificateIdentity) -> None:
    assert value_of(identity, field(name, "**")) is None
    everything = field(name, "**", Pattern(kind="regex", text="(?s).*"))
    assert not passes(ci("ci", everything, issuer=identity.issuer), identity)


@pytest.mark.parametrize("name", sorted(CLAIMS.values()))
def test_every_extension_can_be_asked_for_by_name(name: str) -> None:
    identity = CertificateIdentity(subject="s", kind="uri", issuer=ACTIONS, claims={name: "Value"})
    subject = field("subject", "s")
    assert passes(ci("ci", subject, claim(name, "Value")), identity)
    assert not passes(ci("ci", subject, claim(name, "value")), identity)
    assert not passes(ci("ci", subject, claim(name, "**")), named("s"))
    empty = CertificateIdentity(subject="s", kind="uri", issuer=ACTIONS, claims={name: ""})
    assert not passes(ci("ci", subject, claim(name, "**", "*")), empty)


#: Field, what a certificate says, another spelling of it, and whether they are the same.
CASES = [
    ("subject", "s", "S", False),
    ("subject", "ana@acme.example", "ana@ACME.example", False),
    ("email", "ana@acme.example", "ana@ACME.example", True),
    ("email", "ana@acme.example", "Ana@acme.example", False),
    ("repository", "acme/evidence", "Acme/Evidence", True),
    ("repository-id", "a", "A", False),
    ("owner-id", "a", "A", False),
    ("workflow", ".github/workflows/pack.yml", ".github/workflows/Pack.yml", False),
    ("ref", "refs/heads/main", "refs/heads/Main", False),
    ("commit", "c" * 40, "C" * 40, False),
    ("signer-repository", "acme/evidence", "Acme/Evidence", True),
    ("signer-workflow", ".github/workflows/pack.yml", ".github/workflows/Pack.yml", False),
    ("signer-ref", "refs/heads/main", "refs/heads/Main", False),
    ("runner", "github-hosted", "GitHub-hosted", False),
    ("trigger", "push", "Push", False),
    ("visibility", "public", "Public", False),
    ("environment", "production", "Production", False),
]


def test_every_field_has_its_rule_about_case() -> None:
    assert {name for name, *_ in CASES} == set(FIELDS)


@pytest.mark.parametrize(("name", "value", "other", "same"), CASES)
def test_case_folds_where_it_means_nothing(
    name: str, value: str, other: str, *, same: bool
) -> None:
    identity = workflow(source_repository_identifier="a", source_repository_owner_identifier="a")
    if name == "email":
        identity = person(value)
    if name == "subject":
        identity = named(value)
    for asked, expected in ((value, True), (other, same)):
        for text in (asked, f"{asked}*"):
            rule = ci("ci", field(name, text), issuer=identity.issuer)
            assert passes(rule, identity) == expected, text


@pytest.mark.parametrize(
    ("issuer", "same"),
    [
        (ACTIONS, True),
        (f"{ACTIONS}/acme", True),
        (f"{ACTIONS}.evil.example", False),
        ("https://code.acme.example", False),
    ],
)
def test_repositories_fold_only_where_github_names_them(issuer: str, *, same: bool) -> None:
    rule = ci("ci", field("repository", "Acme/Evidence"), issuer=issuer)
    assert passes(rule, workflow(issuer=issuer)) == same


@pytest.mark.parametrize(
    "fields",
    [
        [field("repository", "acme/evidence")],
        [field("repository-id", "123456789")],
        [field("owner-id", "77")],
        [field("workflow", ".github/workflows/pack.yml")],
        [field("workflow", "**"), field("subject", SHARED)],
        [field("repository", "acme/evidence"), claim("build-signer-uri", SHARED)],
        # What says only where it ran, and not who signed.
        [claim("source-repository-uri", "https://github.com/acme/evidence")],
        [claim("source-repository-identifier", "123456789")],
        [claim("source-repository-owner-identifier", "77")],
        [claim("build-config-uri", "https://github.com/acme/evidence/**")],
        [claim("source-repository-ref", "refs/heads/main"), claim("build-trigger", "push")],
        [field("commit", "c" * 40)],
        [field("environment", "production"), field("runner", "github-hosted")],
    ],
)
def test_a_reusable_workflow_must_be_named(fields: list[FieldRule]) -> None:
    assert not passes(ci("ci", *fields), reused())
    home = field("signer-repository", "acme/shared")
    assert passes(ci("ci", *fields, home), reused())
    assert not passes(ci("ci", *fields, field("signer-repository", "acme/other")), reused())
    for name, value in (
        ("signer-workflow", ".github/workflows/sign.yml"),
        ("signer-ref", "refs/tags/v2"),
    ):
        assert passes(ci("ci", *fields, home, field(name, value)), reused()), name
        assert not passes(ci("ci", *fields, home, field(name, "other")), reused()), name
        # Anybody's repository may have a workflow of that path, and a tag of that name.
        assert not passes(ci("ci", *fields, field(name, value)), reused()), name


SOURCE = claim("source-repository-uri", "https://github.com/acme/evidence")


@pytest.mark.parametrize("signer", [field("subject", SHARED), claim("build-signer-uri", SHARED)])
def test_where_claims_tell_the_source_one_more_names_the_signer(signer: FieldRule) -> None:
    other = SHARED.replace("acme/shared", "mallory/shared")
    assert passes(ci("ci", SOURCE, signer), reused())
    assert not passes(ci("ci", SOURCE, signer), workflow(signer=other))
    assert not passes(ci("ci", SOURCE, signer), workflow())


def test_claims_of_the_source_alone_are_met_by_its_own_workflows() -> None:
    assert passes(ci("ci", SOURCE), workflow())


def test_a_claim_of_a_persons_certificate_needs_no_workflow() -> None:
    identity = CertificateIdentity(
        subject="ana@acme.example", kind="email", issuer=GOOGLE, claims={"token-subject": "4711"}
    )
    asked = (field("email", "ana@acme.example"), claim("token-subject", "4711"))
    assert passes(ci("ci", *asked, issuer=GOOGLE), identity)
    assert not passes(ci("ci", *asked[1:], issuer=GOOGLE), identity)


@pytest.mark.parametrize(
    "identity",
    [
        workflow(build_signer_uri=SHARED),
        workflow(build_config_uri=SHARED),
        workflow(build_config_uri="https://github.com/acme/evidence/other.yml@refs/heads/main"),
        workflow(source_repository_uri="https://github.com/acme/other"),
        workflow(source_repository_uri=None),
        workflow(build_signer_uri=None),
        workflow(build_config_uri=None),
        gitlab("https://gitlab.com/other/p//.gitlab-ci.yml@refs/heads/main"),
        replace(workflow(), kind="username"),
        replace(workflow(), kind="email"),
        replace(workflow(), subject=SHARED),
    ],
)
def test_a_workflow_of_ones_own_is_named_alike_in_all_places(identity: CertificateIdentity) -> None:
    ids = field("repository-id", "123456789", "4711")
    assert not passes(ci("ci", ids, issuer=identity.issuer), identity)


def test_workflows_of_ones_own_need_no_more() -> None:
    assert passes(ci(), workflow())
    rule = ci("ci", field("repository", "g/sub/p"), field("workflow", ".gitlab-ci.yml"),
              issuer=GITLAB)  # fmt: skip
    assert passes(rule, gitlab())


def test_a_pipeline_of_buildkite_goes_by_its_subject() -> None:
    issuer = "https://agent.buildkite.com"
    pipeline = CertificateIdentity(
        subject="https://buildkite.com/acme/evidence",
        kind="uri",
        issuer=issuer,
        claims={"source-repository-digest": "c" * 40, "runner-environment": "hosted"},
    )
    asked = (field("subject", "https://buildkite.com/acme/*"), field("commit", "c" * 40))
    assert passes(ci("ci", *asked, issuer=issuer), pipeline)
    assert not passes(ci("ci", field("repository", "**"), issuer=issuer), pipeline)
    assert not passes(ci("ci", *asked, issuer=ACTIONS), pipeline)


def test_an_email_is_no_other_kind_of_name() -> None:
    assert passes(people("p", "ana@acme.example"), person("ana@acme.example"))
    for kind in ("uri", "username"):
        other = named("ana@acme.example", kind, GOOGLE)
        assert not passes(people("p", "ana@acme.example", "**"), other)


@pytest.mark.parametrize(
    "issuer", ["https://accounts.google.com/", "https://Accounts.google.com", "google", "*"]
)
def test_an_issuer_is_matched_exactly(issuer: str) -> None:
    assert not passes(people("p", "ana@acme.example", issuer=issuer), person("ana@acme.example"))


def test_every_field_must_match_and_one_value_of_each() -> None:
    refs = field("ref", "refs/heads/main", "refs/tags/v*")
    rule = ci("ci", field("repository", "acme/evidence"), refs)
    assert passes(rule, workflow(ref="refs/tags/v2"))
    assert not passes(rule, workflow(ref="refs/tags/w2"))
    assert not passes(rule, workflow("acme/other"))


@pytest.mark.parametrize(
    "text", ["refs/tags/v[0-9]*", "refs/(heads|tags)/v.*", "(?s).*/v1", "refs/tags/v1", ".*"]
)
def test_a_rule_may_say_a_field_by_a_regular_expression(text: str) -> None:
    ref = field("ref", Pattern(kind="regex", text=text))
    rule = ci("ci", field("repository", "acme/evidence"), ref)
    assert passes(rule, workflow(ref="refs/tags/v1"))
    assert passes(rule, workflow(ref="refs/tags/x")) == (text == ".*")


def test_a_glob_finds_its_value_among_those_that_begin_alike() -> None:
    rule = ci("ci", field("repository", "acme/evidence"), field("ref", "refs/tags/v*.1"))
    refs = ["refs/tags/u", "refs/tags/v", "refs/tags/v1.0", "refs/tags/v1.1", "refs/tags/w.1"]
    signed = [attestation(workflow(ref=ref)) for ref in refs]
    decision = decided(policy([rule], [line("ci")]), *signed)
    assert decision.counted == (3,)
    assert decided(policy([rule], [line("ci")]), *signed[:3], signed[4]).result == "fail"
