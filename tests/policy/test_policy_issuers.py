import pytest

from attest.errors import PolicyFileError, UsageError
from attest.policy.issuers import ISSUERS, PER_ORGANIZATION, resolve_issuer
from tests.policy.policy_texts import parse


@pytest.mark.parametrize("alias", sorted(ISSUERS))
def test_an_alias_is_one_url_and_a_url_is_itself(alias: str) -> None:
    url = resolve_issuer(alias)
    assert url.startswith("https://")
    assert resolve_issuer(url) == url
    assert resolve_issuer(f"{url}/") != url


@pytest.mark.parametrize(
    ("text", "hint"),
    [("gitlub", "gitlab"), ("circleci", "https://oidc.circleci.com/org/ORG_ID"), ("?", "google")],
)
def test_what_names_no_one_issuer_is_refused_with_what_would(text: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_issuer(text)
    assert caught.value.code == "unknown_issuer"
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize("issuer", sorted(PER_ORGANIZATION))
def test_a_policy_is_told_that_each_organization_has_its_own(issuer: str) -> None:
    text = f"version: 1\nsigners: {{a: {{issuer: {issuer}, subject: x}}}}\nrequire: [a]"
    with pytest.raises(PolicyFileError) as caught:
        parse(text)
    assert caught.value.code == "policy_invalid_value"
    assert PER_ORGANIZATION[issuer] in (caught.value.hint or "")
