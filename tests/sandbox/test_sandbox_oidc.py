"""People log in by code and PKCE, workflows by their bearer secret; nobody else gets a token."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from sigstore.oidc import Issuer

from attest.sandbox import OidcIssuer, Refusal, Sandbox
from attest.sandbox.refusal import OAuthRefusal
from attest.sandbox.tokens import TokenIssuer
from tests.sandbox.wire_client import Client

AUTH, TOKEN = "/oauth2/auth", "/oauth2/token"
REDIRECT = "http://localhost:1234/auth/callback"
VERIFIER = "v" * 43


def challenge(verifier: str = VERIFIER) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def authorization(**changes: str | None) -> dict[str, str]:
    request: dict[str, str | None] = {
        "response_type": "code",
        "client_id": "sigstore",
        "redirect_uri": REDIRECT,
        "scope": "openid email",
        "state": "s",
        "nonce": "n",
        "code_challenge": challenge(),
        "code_challenge_method": "S256",
        **changes,
    }
    return {name: value for name, value in request.items() if value is not None}


def exchange(code: str, **changes: str) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
        **changes,
    }


def get_code(client: Client, **changes: str | None) -> str:
    answer = client.get(f"{AUTH}?{urlencode(authorization(**changes))}")
    assert answer.status == 302
    target = urlsplit(answer.headers["Location"])
    assert f"{target.scheme}://{target.netloc}{target.path}" == REDIRECT
    found = parse_qs(target.query)
    assert found["state"] == ["s"]
    return found["code"][0]


def claims(token: object) -> dict[str, object]:
    return dict(jwt.decode(str(token), options={"verify_signature": False}))


@pytest.mark.parametrize(
    ("hint", "person"), [(None, "ana@acme.example"), ("bo@acme.example", "bo@acme.example")]
)
def test_the_code_flow_gives_a_token(
    sandbox: Sandbox, client: Client, hint: str | None, person: str
) -> None:
    answer = client.form(TOKEN, exchange(get_code(client, login_hint=hint)))
    assert answer.status == 200
    tokens = answer.json()
    assert tokens["access_token"] == tokens["id_token"]
    found = claims(tokens["id_token"])
    assert found["iss"] == sandbox.issuer_url
    assert (found["email"], found["email_verified"]) == (person, True)
    assert (found["aud"], found["nonce"]) == ("sigstore", "n")
    federated = found["federated_claims"]
    assert isinstance(federated, dict)
    assert federated["connector_id"] == "https://accounts.google.com"


def test_discovery_is_enough_for_sigstore_and_the_keys_check_the_token(
    sandbox: Sandbox, client: Client
) -> None:
    assert Issuer(sandbox.issuer_url).oidc_config.token_endpoint.startswith(sandbox.issuer_url)
    document = client.get("/oauth2/keys").json()
    keys = jwt.PyJWKSet.from_dict(document)
    token = sandbox.person_token()
    key = keys[jwt.get_unverified_header(token)["kid"]]
    assert jwt.decode(token, key, audience="sigstore")["iss"] == sandbox.issuer_url


def test_the_out_of_band_flow_shows_the_code(client: Client) -> None:
    oob = "urn:ietf:wg:oauth:2.0:oob"
    answer = client.get(f"{AUTH}?{urlencode(authorization(redirect_uri=oob))}")
    assert answer.status == 200
    form = exchange(answer.body.decode().strip(), redirect_uri=oob)
    assert client.form(TOKEN, form).status == 200


@pytest.mark.parametrize(
    "change",
    [
        {"code_challenge": None},
        {"code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"code_challenge": "short"},
        {"response_type": "token"},
        {"response_type": None},
        {"client_id": "other"},
        {"redirect_uri": None},
        {"redirect_uri": "https://evil.example/callback"},
        {"redirect_uri": "http://localhost@evil.example/callback"},
        {"redirect_uri": "http://localhost.evil.example/"},
        {"redirect_uri": "http://[::1/"},
        {"redirect_uri": "javascript:alert(1)"},
    ],
)
def test_a_bad_authorization_request_is_refused(
    client: Client, change: dict[str, str | None]
) -> None:
    answer = client.get(f"{AUTH}?{urlencode(authorization(**change))}")
    assert answer.status == 400
    assert "Location" not in answer.headers


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"code_verifier": ""}, "invalid_grant"),
        ({"code_verifier": "v" * 42}, "invalid_grant"),
        ({"code_verifier": challenge()}, "invalid_grant"),
        ({"redirect_uri": "http://localhost:1235/auth/callback"}, "invalid_grant"),
        ({"code": "unknown"}, "invalid_grant"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
    ],
)
def test_a_bad_exchange_is_refused(client: Client, change: dict[str, str], error: str) -> None:
    answer = client.form(TOKEN, exchange(get_code(client)) | change)
    assert (answer.status, answer.json()["error"]) == (400, error)


def test_a_code_works_once(client: Client) -> None:
    code = get_code(client)
    assert client.form(TOKEN, exchange(code)).status == 200
    assert client.form(TOKEN, exchange(code)).status == 400


def test_a_wrong_verifier_spends_the_code(client: Client) -> None:
    code = get_code(client)
    assert client.form(TOKEN, exchange(code, code_verifier="w" * 43)).status == 400
    assert client.form(TOKEN, exchange(code)).status == 400


def test_a_code_expires() -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    times = [now, now + timedelta(minutes=2)]
    tokens = TokenIssuer(key=ec.generate_private_key(ec.SECP256R1()))
    issuer = OidcIssuer(tokens=tokens, clock=lambda: times.pop(0))
    code, _ = issuer.authorize(authorization())
    with pytest.raises(OAuthRefusal) as caught:
        issuer.exchange(exchange(code))
    assert caught.value.error == "invalid_grant"


def ambient_path(sandbox: Sandbox, **query: str) -> tuple[str, str]:
    environment = sandbox.ambient_environment(**query)
    path = environment["ACTIONS_ID_TOKEN_REQUEST_URL"].removeprefix(sandbox.url)
    return f"{path}&audience=sigstore", environment["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]


def test_the_ambient_endpoint_gives_a_workflows_token(sandbox: Sandbox, client: Client) -> None:
    path, secret = ambient_path(
        sandbox, repository="acme/other", workflow_path=".github/workflows/x.yml", environment="e"
    )
    answer = client.get(path, headers={"Authorization": f"bearer {secret}"})
    found = claims(answer.json()["value"])
    assert found["iss"] == "https://token.actions.githubusercontent.com"
    assert found["aud"] == "sigstore"
    assert found["workflow_ref"] == "acme/other/.github/workflows/x.yml@refs/heads/main"
    assert found["sub"] == "repo:acme/other:environment:e"


@pytest.mark.parametrize("header", [None, "", "bearer", "bearer wrong", "basic {0}", "{0}"])
def test_the_ambient_endpoint_refuses_another_bearer(
    sandbox: Sandbox, client: Client, header: str | None
) -> None:
    path, secret = ambient_path(sandbox)
    headers = {} if header is None else {"Authorization": header.format(secret)}
    answer = client.get(path, headers=headers)
    assert (answer.status, answer.json()["code"]) == (401, 401)
    assert secret not in answer.body.decode()


def test_an_unsigned_url_gives_nothing(client: Client) -> None:
    assert client.get("/github/token?audience=sigstore").status == 401


def test_refusals_never_quote_the_token(sandbox: Sandbox) -> None:
    token = sandbox.person_token(lifetime_seconds=-10)
    with pytest.raises(Refusal) as caught:
        sandbox.instance.oidc.tokens.check(token, issuers={sandbox.issuer_url})
    assert not any(part in caught.value.message for part in token.split("."))
