"""Every spelling of an address is read as that address; only public ones may be asked."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest.addresses import canonical_address, read_host, refusal

LOOPBACK = [
    "127.0.0.1", "127.255.255.254", "127.1", "127.0.1", "2130706433", "0x7f000001", "0X7F.1",
    "0x7f.0x0.0x0.0x1", "0177.0.0.1", "0177.0x0.1", "017700000001", "00000177.1", "127.0.0.1.",
    "0x7f.1.", "::1", "0:0:0:0:0:0:0:1", "0000:0000:0000:0000:0000:0000:0000:0001",
    "::ffff:127.0.0.1", "::ffff:7f00:1", "0:0:0:0:0:ffff:127.0.0.1", "::FFFF:7F00:0001",
    "::127.0.0.1", "2002:7f00:1::", "2002:7f00:0001::1", "64:ff9b::127.0.0.1", "64:ff9b::7f00:1",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
]  # fmt: skip
LINK_LOCAL = [
    "169.254.0.1", "169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376",
    "169.16689662", "fe80::1", "febf:ffff::1", "::ffff:169.254.169.254", "2002:a9fe:a9fe::",
    "64:ff9b::a9fe:a9fe",
]  # fmt: skip
PRIVATE = [
    "10.0.0.0", "10.255.255.255", "10.1", "012.1", "0xa.1", "167772161", "172.16.0.0",
    "172.31.255.255", "0xac.0x10.1", "192.168.0.0", "192.168.255.255", "192.168.1", "3232235777",
    "100.64.0.0", "100.127.255.255", "fc00::", "fdff:ffff::1", "fec0::1", "::ffff:10.0.0.1",
    "::ffff:c0a8:101", "2002:c0a8:101::1", "64:ff9b::10.1.2.3", "::192.168.1.1",
]  # fmt: skip
RESERVED = [
    "0.0.0.0", "0", "0x", "0.0.0.255", "192.0.0.1", "192.0.0.9", "192.0.2.1", "192.88.99.1",
    "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255",
    "240.0.0.1", "255.255.255.255", "4294967295", "::", "::2", "::8.8.8.8", "100::1",
    "2001:db8::1", "2001::1", "2001:2::1", "2002:808:808::", "64:ff9b:1::8.8.8.8", "3fff::1",
    "5f00::1", "::ffff:0:8.8.8.8", "ff02::1", "ff0e::1", "4000::1",
]  # fmt: skip
PUBLIC = {
    "8.8.8.8": "8.8.8.8",
    "134744072": "8.8.8.8",
    "0x08080808": "8.8.8.8",
    "010.010.010.010": "8.8.8.8",
    "8.526344": "8.8.8.8",
    "::ffff:8.8.8.8": "8.8.8.8",
    "9.255.255.255": "9.255.255.255",
    "11.0.0.0": "11.0.0.0",
    "100.63.255.255": "100.63.255.255",
    "100.128.0.0": "100.128.0.0",
    "126.255.255.255": "126.255.255.255",
    "128.0.0.0": "128.0.0.0",
    "169.253.255.255": "169.253.255.255",
    "172.15.255.255": "172.15.255.255",
    "172.32.0.0": "172.32.0.0",
    "192.167.255.255": "192.167.255.255",
    "192.169.0.0": "192.169.0.0",
    "223.255.255.255": "223.255.255.255",
    "2606:4700:4700:0000::1111": "2606:4700:4700::1111",
    "64:ff9b::8.8.8.8": "64:ff9b::808:808",  # how a network without IPv4 reaches it
}
REFUSED = [
    *((text, "loopback_rejected") for text in LOOPBACK),
    *((text, "link_local_rejected") for text in LINK_LOCAL),
    *((text, "private_network_rejected") for text in PRIVATE),
    *((text, "reserved_address_rejected") for text in RESERVED),
]


@pytest.mark.parametrize(("text", "code"), REFUSED)
def test_an_address_of_ours_is_refused_in_every_spelling(text: str, code: str) -> None:
    host = read_host(text)
    assert isinstance(host, IPv4Address | IPv6Address)
    error = refusal(host)
    assert error is not None
    assert error.code == code


@pytest.mark.parametrize(("text", "canonical"), PUBLIC.items())
def test_a_public_address_has_one_spelling(text: str, canonical: str) -> None:
    host = read_host(text)
    assert isinstance(host, IPv4Address | IPv6Address)
    assert str(host) == canonical
    assert refusal(host) is None


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "..", "a..b", ".a", "-a.example", "a-.example", "a b", "a%41.example", "a/b",
        "*.example", "a" * 64, ".".join(["a" * 63] * 4), "1.2.3.4.5", "256.1.1.1", "1.2.3.256",
        "1.2.65536", "1.16777216", "4294967296", "08.1.1.1", "1..2", "0x.0x.0x.0x.0x",
        "1_0.1", "+1.1", "1.2.3.4..", "a.1", "1e1.1", "١٢٧.1", "fe80::1%eth0", "fe80::1%25eth0",
        "::ffff:256.0.0.1", ":::", "1:2:3", "[::1]", "v1.x:y", "bücher.example", "127。0。0。1",
    ],
)  # fmt: skip
def test_what_is_no_host_is_none(text: str) -> None:
    assert read_host(text) is None


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("EXAMPLE.com", "example.com"),
        ("example.com.", "example.com"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("a_b.example", "a_b.example"),
        ("1.example", "1.example"),
        ("localhost", "localhost"),
        ("1.0x1g", "1.0x1g"),
    ],
)
def test_a_name_has_one_spelling(text: str, canonical: str) -> None:
    assert read_host(text) == canonical


NUMBERS = st.integers(min_value=0, max_value=2**33)
PARTS = NUMBERS.flatmap(lambda n: st.sampled_from([str(n), hex(n), f"0{n:o}", f"0X{n:X}"]))


@given(st.lists(PARTS, min_size=1, max_size=5).map(".".join))
def test_numbers_are_read_as_the_system_reads_them(text: str) -> None:
    try:
        expected = IPv4Address(socket.inet_aton(text))
    except OSError:
        expected = None
    assert read_host(text) == expected


@given(st.ip_addresses())
def test_a_canonical_address_is_read_as_itself(address: IPv4Address | IPv6Address) -> None:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    assert read_host(str(address)) == (mapped or address)


@given(st.ip_addresses(v=4))
def test_what_is_refused_is_refused_inside_ipv6_too(address: IPv4Address) -> None:
    direct = refusal(address)
    for prefix in ("::ffff:0:0", "64:ff9b::"):
        inner = refusal(IPv6Address(int(IPv6Address(prefix)) + int(address)))
        assert (inner and inner.code) == (direct and direct.code)
    assert refusal(IPv6Address((0x2002 << 112) + (int(address) << 80)))
    assert refusal(IPv6Address(int(address)))


def test_a_zone_of_a_resolver_is_left_out() -> None:
    assert canonical_address("fe80::1%eth0") == IPv6Address("fe80::1")
