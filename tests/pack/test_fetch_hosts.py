"""A fetch asks only allowed hosts at public addresses, on every hop."""

from __future__ import annotations

import time
from typing import Never

import pytest

from attest.errors import NetworkError
from attest.http import get
from attest.pack.fetch import PUBLIC, Internet
from tests.pack.fetching import HOST, REPORT, fetched, refused
from tests.pack.web import LOOPBACK, Web, redirect, reply


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_an_allowed_host_is_followed(web: Web, status: int) -> None:
    web.replies["/a"] = redirect(web.url("/b", "cdn.example"), status)
    web.replies["/b"] = redirect("report.pdf", status)
    allow = (f"{HOST}:{web.port}", f"cdn.example:{web.port}")
    assert fetched(web, web.url("/a"), allow=allow) == REPORT
    assert [headers["Host"] for _, headers in web.seen] == [
        f"{HOST}:{web.port}",
        f"cdn.example:{web.port}",
        f"cdn.example:{web.port}",
    ]


@pytest.mark.parametrize(("redirects", "code"), [(5, None), (6, "too_many_redirects")])
def test_redirects_are_bounded(web: Web, redirects: int, code: str | None) -> None:
    for number in range(redirects):
        web.replies[f"/{number}"] = redirect(f"/{number + 1}")
    web.replies[f"/{redirects}"] = reply(REPORT)
    if code is None:
        assert fetched(web, web.url("/0")) == REPORT
    else:
        assert refused(web, web.url("/0")).code == code


def test_a_loop_of_redirects_ends(web: Web) -> None:
    web.replies["/a"] = redirect("/a")
    assert refused(web, web.url("/a")).code == "too_many_redirects"


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("http://evidence.example/x", "insecure_scheme"),
        ("file:///etc/passwd", "insecure_scheme"),
        ("ftp://evidence.example/x", "insecure_scheme"),
        ("//user:pass@evidence.example/x", "userinfo_not_allowed"),
        ("https://user@evidence.example/x", "userinfo_not_allowed"),
        ("https://evidence.example/x#part", "fragment_not_allowed"),
        ("https://evidence.example:99999/x", "invalid_uri"),
        ("https://[::1/x", "invalid_uri"),
        ("https://evidence.example\\@127.0.0.1/x", "invalid_uri"),
        ("/a\tb", "invalid_uri"),
        ("https://1.2.3.4.5/x", "invalid_uri"),
        ("https://elsewhere.example/x", "host_not_allowed"),
        ("https://evidence.example/x", "host_not_allowed"),  # at another port
        ("https://127.0.0.2/x", "redirect_to_private_rejected"),
        ("https://192.168.1.1/data.json", "redirect_to_private_rejected"),
        ("https://0xa9fea9fe/latest/meta-data", "redirect_to_private_rejected"),
        ("https://[::1]/x", "redirect_to_private_rejected"),
        ("https://[::ffff:10.0.0.1]/x", "redirect_to_private_rejected"),
        ("https://[2002:c0a8:101::1]/x", "redirect_to_private_rejected"),
        ("https://[64:ff9b::a00:1]/x", "redirect_to_private_rejected"),
        ("https://[fe80::1]/x", "redirect_to_private_rejected"),
    ],
)
def test_each_redirect_is_judged_again(web: Web, location: str, code: str) -> None:
    web.replies["/a"] = redirect(location)
    error = refused(web, web.url("/a"))
    assert (error.code, error.exit_code) == (code, 2)
    assert len(web.seen) == 1


def test_a_redirect_to_a_name_of_a_private_address_is_refused(web: Web) -> None:
    web.replies["/a"] = redirect(web.url("/b", "cdn.example"))
    allow = (f"{HOST}:{web.port}", f"cdn.example:{web.port}")
    internet = web.internet(cdn_example="10.0.0.7")
    error = refused(web, web.url("/a"), allow=allow, internet=internet)
    assert error.code == "redirect_to_private_rejected"
    assert len(web.seen) == 1


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("127.0.0.2", "loopback_rejected"),
        ("::1", "loopback_rejected"),
        ("::ffff:127.0.0.2", "loopback_rejected"),
        ("169.254.169.254", "link_local_rejected"),
        ("fe80::1", "link_local_rejected"),
        ("10.0.0.1", "private_network_rejected"),
        ("100.64.0.1", "private_network_rejected"),
        ("fd00::1", "private_network_rejected"),
        ("2002:a00:1::", "private_network_rejected"),
        ("64:ff9b::192.168.0.1", "private_network_rejected"),
        ("0.0.0.0", "reserved_address_rejected"),
        ("224.0.0.1", "reserved_address_rejected"),
    ],
)
def test_a_name_that_leads_to_us_is_refused_though_allowed(
    web: Web, address: str, code: str
) -> None:
    # One bad address among good ones is enough, wherever it stands.
    for found in ([address], ["127.0.0.1", address], [address, "127.0.0.1"]):
        error = refused(web, web.url("/report.pdf"), internet=web.internet(*found))
        assert (error.code, error.exit_code) == (code, 2)
    assert web.seen == []


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("127.0.0.1", "loopback_rejected"),
        ("localhost", "loopback_rejected"),
        ("2130706433", "loopback_rejected"),
        ("0x7f.1", "loopback_rejected"),
        ("0177.0.0.1", "loopback_rejected"),
        ("127.1", "loopback_rejected"),
        ("[::1]", "loopback_rejected"),
        ("[::ffff:7f00:1]", "loopback_rejected"),
        ("169.254.1.1", "link_local_rejected"),
        ("192.168.1.1", "private_network_rejected"),
        ("[fc00::1]", "private_network_rejected"),
        ("0", "reserved_address_rejected"),
    ],
)
def test_the_public_policy_never_asks_this_machine(web: Web, host: str, code: str) -> None:
    uri = f"https://{host}:{web.port}/report.pdf"
    error = refused(web, uri, allow=(f"{host}:{web.port}",), internet=PUBLIC)
    assert error.code == code
    assert web.seen == []


def test_an_address_is_refused_before_the_list_is_asked(web: Web) -> None:
    assert refused(web, "https://192.168.1.1/x").code == "private_network_rejected"


@pytest.mark.parametrize(
    "allow",
    ["cdn.example", "example", "www.evidence.example", "evidence.example.org", "vidence.example",
     "evidence.example", "evidence.example:444"],
)  # fmt: skip
def test_a_host_is_allowed_exactly_or_not_at_all(web: Web, allow: str) -> None:
    error = refused(web, web.url("/report.pdf"), allow=(allow,))
    assert (error.code, error.exit_code) == ("host_not_allowed", 2)
    assert (web.seen, web.asked) == ([], [])  # not even its name was looked up


@pytest.mark.parametrize("spelling", ["EVIDENCE.example", "evidence.example.", "Evidence.Example"])
def test_the_spelling_of_an_allowed_name_does_not_matter(web: Web, spelling: str) -> None:
    assert fetched(web, web.url("/report.pdf"), allow=(f"{spelling}:{web.port}",)) == REPORT


def test_an_international_name_is_compared_in_ascii(web: Web) -> None:
    uri = web.url("/report.pdf", "xn--bcher-kva.example")
    assert fetched(web, uri, allow=(f"BÜCHER.example:{web.port}",)) == REPORT
    assert web.asked == ["xn--bcher-kva.example"]


@pytest.mark.parametrize(
    "allow",
    ["", "*", "*.example", "https://evidence.example", "evidence.example/x", "a@evidence.example",
     "evidence.example:port", "evidence.example:99999", "evidence.example:0",
     "evidence.example?", "evidence.example#",
     "a..b", "-a.example", "[::1", "a b", "\u2024.example", "ü" * 80],
)  # fmt: skip
def test_what_is_no_host_cannot_be_allowed(web: Web, allow: str) -> None:
    assert refused(web, web.url("/report.pdf"), allow=(allow,)).code == "invalid_host"
    assert web.seen == []


def test_port_nought_is_not_taken_for_the_usual_one(web: Web) -> None:
    error = refused(web, "https://evidence.example:0/report.pdf", allow=("evidence.example",))
    assert error.code == "invalid_uri"
    assert (web.seen, web.asked) == ([], [])


@pytest.mark.parametrize("host", ["xn--a.example", "xn--99999999.example", "x" * 63 + ".example"])
def test_an_odd_name_is_only_a_name(web: Web, host: str) -> None:
    # Allowed and resolved, but the server has no certificate for it.
    error = refused(web, web.url("/report.pdf", host), allow=(f"{host}:{web.port}",))
    assert (error.code, error.exit_code) == ("server_not_trusted", 2)


def test_the_certificate_must_be_of_the_host_and_of_a_known_authority(web: Web) -> None:
    uri = web.url("/report.pdf", "other.example")
    error = refused(web, uri, allow=(f"other.example:{web.port}",))
    assert error.code == "server_not_trusted"
    unknown = Internet(resolve=web.internet().resolve, refusal=web.internet().refusal)
    assert refused(web, web.url("/report.pdf"), internet=unknown).code == "server_not_trusted"
    assert web.seen == []


def test_the_address_that_was_judged_is_the_one_that_is_asked(web: Web) -> None:
    # `evidence.example` exists nowhere, so only the address given here can have been asked; and
    # a name that leads elsewhere when it is asked for again has no second look-up to use.
    assert fetched(web, web.url("/report.pdf")) == REPORT
    assert web.asked == [HOST]


def test_addresses_are_tried_in_turn(web: Web) -> None:
    internet = web.internet("2606:4700:4700::1111", "127.0.0.1")
    closed = Internet(
        resolve=lambda _host, _port: [],
        refusal=internet.refusal,
        authorities=internet.authorities,
    )
    assert refused(web, web.url("/report.pdf"), internet=closed).code == "network_unreachable"


def test_addresses_that_never_answer_share_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(_place: tuple[str, int], timeout: float) -> Never:
        time.sleep(timeout)
        raise TimeoutError

    monkeypatch.setattr("socket.create_connection", silent)
    begin = time.monotonic()
    asked = get(
        f"https://{HOST}/",
        host=HOST,
        addresses=[LOOPBACK] * 20,
        deadline=begin + 0.3,
        authorities=None,
    )
    with pytest.raises(NetworkError) as caught, asked:
        pass
    assert caught.value.code == "network_unreachable"
    assert time.monotonic() - begin < 3
