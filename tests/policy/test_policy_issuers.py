import pytest

from attest.errors import UsageError
from attest.policy.issuers import ISSUERS, resolve_issuer


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
