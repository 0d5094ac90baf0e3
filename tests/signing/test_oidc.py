"""Identity tokens: what is refused before any network, where one is found, and secrecy."""

from __future__ import annotations

import base64
import copy
import dataclasses
import io
import json
import pickle
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest.errors import SigningError, UsageError
from attest.oidc import IdentityToken, read_argument

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
CLAIMS: dict[str, object] = {
    "iss": "https://issuer.example",
    "sub": "subject-1",
    "aud": "sigstore",
    "iat": SECONDS - 10,
    "exp": SECONDS + 600,
}


def compact(payload: bytes) -> str:
    body = base64.urlsafe_b64encode(payload).rstrip(b"=").decode()
    return f"eyJhbGciOiJFUzI1NiJ9.{body}.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"


def mint(changes: Mapping[str, object] | None = None) -> str:
    claims = {k: v for k, v in {**CLAIMS, **(changes or {})}.items() if v is not None}
    return compact(json.dumps(claims).encode())


@pytest.mark.parametrize(
    ("changes", "identity", "issuer"),
    [
        ({}, "subject-1", "https://issuer.example"),
        ({"email": "ana@acme.example"}, "ana@acme.example", "https://issuer.example"),
        (
            {"job_workflow_ref": "acme/evidence/.github/workflows/p.yml@refs/heads/main"},
            "https://github.com/acme/evidence/.github/workflows/p.yml@refs/heads/main",
            "https://issuer.example",
        ),
        (
            {"ci_config_ref_uri": "gitlab.com/acme/evidence//.gitlab-ci.yml@refs/heads/main"},
            "https://gitlab.com/acme/evidence//.gitlab-ci.yml@refs/heads/main",
            "https://issuer.example",
        ),
        (
            {"organization_slug": "acme", "pipeline_slug": "evidence"},
            "https://buildkite.com/acme/evidence",
            "https://issuer.example",
        ),
        (
            {
                "oidc.circleci.com/project-id": "p",
                "oidc.circleci.com/pipeline-definition-id": "d",
            },
            "https://circleci.com/api/v2/projects/p/pipeline-definitions/d",
            "https://issuer.example",
        ),
        ({"organization_slug": "acme"}, "subject-1", "https://issuer.example"),
        (
            {"email": "a@b.example", "federated_claims": {"connector_id": "https://idp.example"}},
            "a@b.example",
            "https://idp.example",
        ),
        ({"aud": ["other", "sigstore"]}, "subject-1", "https://issuer.example"),
        ({"exp": SECONDS + 0.5 + 1}, "subject-1", "https://issuer.example"),
    ],
)
def test_what_a_token_says(changes: Mapping[str, object], identity: str, issuer: str) -> None:
    token = IdentityToken.from_text(f" {mint(changes)}\n", now=NOW)
    assert (token.identity, token.issuer) == (identity, issuer)
    assert token.expires > NOW
    assert token.reveal() == mint(changes)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"exp": SECONDS - 1}, "token_expired"),
        ({"exp": SECONDS}, "token_expired"),
        ({"exp": None}, "token_malformed"),
        ({"exp": "tomorrow"}, "token_malformed"),
        ({"exp": True}, "token_malformed"),
        ({"exp": 10**30}, "token_malformed"),
        ({"exp": -5}, "token_malformed"),
        ({"iat": SECONDS + 60}, "token_not_yet_valid"),
        ({"nbf": SECONDS + 60}, "token_not_yet_valid"),
        ({"iat": None}, "token_malformed"),
        ({"aud": "other"}, "token_wrong_audience"),
        ({"aud": "sigstore.evil"}, "token_wrong_audience"),
        ({"aud": ["other"]}, "token_wrong_audience"),
        ({"aud": {"sigstore": 1}}, "token_wrong_audience"),
        ({"aud": None}, "token_wrong_audience"),
        ({"iss": None}, "token_malformed"),
        ({"iss": 1}, "token_malformed"),
        ({"sub": None}, "token_malformed"),
        ({"email": ["ana@acme.example"]}, "token_malformed"),
        ({"ci_config_ref_uri": None, "job_workflow_ref": 1}, "token_malformed"),
    ],
)
def test_a_token_that_cannot_work_is_refused(changes: Mapping[str, object], code: str) -> None:
    with pytest.raises(SigningError) as caught:
        IdentityToken.from_text(mint(changes), now=NOW)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not a token",
        "a.b",
        "a.b.c.d",
        mint() + "\nX-Injected: 1",
        mint().replace(".", " . "),
        compact(b"[]"),
        compact(b"\xff\xfe"),
        compact(b'{"iss":"a","iss":"b"}'),
        compact(json.dumps(CLAIMS | {"exp": float("nan")}).encode()),
        "eyJhbGciOiJFUzI1NiJ9.A.c2ln",
        compact(b" " * 70_000),
    ],
)
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(SigningError) as caught:
        IdentityToken.from_text(text, now=NOW)
    assert caught.value.code == "token_malformed"


@given(st.one_of(st.text(), st.binary().map(compact)))
def test_nothing_but_our_errors_escapes(text: str) -> None:
    with pytest.raises(SigningError):
        IdentityToken.from_text(text, now=NOW)


def test_a_small_skew_of_clocks_is_let_pass() -> None:
    assert IdentityToken.from_text(mint({"iat": SECONDS + 4}), now=NOW).identity == "subject-1"


def test_a_token_never_shows_itself() -> None:
    text = mint()
    token = IdentityToken.from_text(text, now=NOW)
    secret = text.split(".")[2]
    assert secret not in f"{token!r} {token} {token._secret} {dataclasses.fields(token)}"
    for leak in (pickle.dumps, copy.deepcopy, dataclasses.asdict):
        with pytest.raises(TypeError):
            leak(token)


@pytest.mark.parametrize("changes", [{"exp": 1}, {"aud": "other"}, {"sub": None}, {"exp": "x"}])
def test_no_error_quotes_a_token(changes: Mapping[str, object]) -> None:
    text = mint(changes)
    with pytest.raises(SigningError) as caught:
        IdentityToken.from_text(text, now=NOW)
    told = f"{caught.value} {caught.value.hint} {caught.value.where} {caught.value!r}"
    assert not any(part in told for part in text.split("."))


def test_a_token_argument_is_a_value_a_file_or_standard_input(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("from file")
    assert read_argument("value", stdin=io.StringIO()) == "value"
    assert read_argument(f"@{file}", stdin=io.StringIO()) == "from file"
    assert read_argument("-", stdin=io.StringIO("from stdin")) == "from stdin"


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_token_file_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_argument(f"@{tmp_path / 'token'}", stdin=io.StringIO())
    assert caught.value.code == "token_unreadable"


def test_expiry_is_judged_by_the_clock_by_default() -> None:
    old = mint({"exp": int((datetime.now(UTC) - timedelta(seconds=1)).timestamp())})
    with pytest.raises(SigningError) as caught:
        IdentityToken.from_text(old)
    assert caught.value.code == "token_expired"


class Undecodable(io.StringIO):
    """Standard input that is not text."""

    def read(self, size: int | None = -1) -> str:  # noqa: ARG002 - as the base class has it
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")


@pytest.mark.parametrize("stdin", [None, Undecodable()])
def test_standard_input_that_cannot_be_read(stdin: io.StringIO | None) -> None:
    with pytest.raises(UsageError) as caught:
        read_argument("-", stdin=stdin)
    assert (caught.value.code, caught.value.where) == ("token_unreadable", "-")
