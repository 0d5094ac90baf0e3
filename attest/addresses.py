"""Which hosts the public internet has: every spelling of an address read as one, and judged."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

from attest.errors import NetworkError

Address: TypeAlias = IPv4Address | IPv6Address

_LOOPBACK = ("127.0.0.0/8", "::1/128")
_LINK_LOCAL = ("169.254.0.0/16", "fe80::/10")
_PRIVATE = (
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",  # shared by a carrier's customers (RFC 6598)
    "fc00::/7",
    "fec0::/10",  # site-local, which some systems still route (RFC 3879)
)
#: Named here where the versions of `ipaddress` differ on whether they are global.
_RESERVED = ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2002::/16", "3fff::/20")
#: IPv6 blocks whose last 32 bits are an IPv4 address: mapped, and NAT64 (RFC 6052).
_TRANSLATED = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))
_COMPATIBLE = IPv6Network("::/96")
_GLOBAL = IPv6Network("2000::/3")

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
#: A host whose last label is a number is an IPv4 address or nothing (WHATWG URL, 3.5).
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LONGEST = 253


def read_host(text: str) -> str | Address | None:
    """A host in its one canonical spelling; None if it is none.

    Decimal, hexadecimal, octal and shortened IPv4 addresses, and IPv6 addresses that are only
    another spelling of an IPv4 address, become that address.

    Args:
        text: the host of a URI, without brackets and port; in ASCII.

    Source: Evidence Pack R-041a.
    """
    host = text.lower().removesuffix(".")
    if ":" in host:
        return _read_ipv6(host)
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        return _read_ipv4(host)
    return host if len(host) <= _LONGEST and _NAME.fullmatch(host) else None


def _read_ipv4(host: str) -> IPv4Address | None:
    """Read an address as `inet_aton` does everywhere, so that no resolver sees another one."""
    numbers: list[int] = []
    for part in host.split("."):
        base = 16 if part.startswith("0x") else 8 if part.startswith("0") else 10
        if not _NUMBER.fullmatch(part) or len(part) > _LONGEST:
            return None
        try:
            numbers.append(int(part.removeprefix("0x") or "0", base))
        except ValueError:  # 8 or 9 in an octal number
            return None
    *first, last = numbers
    if len(numbers) > 4 or any(not 0 <= number <= 255 for number in first):
        return None
    room = 8 * (4 - len(first))
    if not 0 <= last < 1 << room:
        return None
    value = sum(number << (24 - 8 * index) for index, number in enumerate(first))
    return IPv4Address(value + last)


def _read_ipv6(host: str) -> Address | None:
    try:
        address = IPv6Address(host)
    except ValueError:
        return None
    if address.scope_id is not None:  # a zone is of one machine, so no URI has a use for it
        return None
    return address.ipv4_mapped or address


def refusal(address: Address) -> NetworkError | None:
    """Why an address must not be reached for a stranger's sake; None if it may.

    Args:
        address: where a host name leads.

    Returns:
        `loopback_rejected`, `link_local_rejected`, `private_network_rejected` or
        `reserved_address_rejected`, for the caller to raise.

    Source: Evidence Pack R-041, R-041a; IANA special-purpose address registries.
    """
    for code, blocks in (
        ("loopback_rejected", _LOOPBACK),
        ("link_local_rejected", _LINK_LOCAL),
        ("private_network_rejected", _PRIVATE),
    ):
        if _within(address, blocks):
            return _not_public(code, address)
    if inner := _translated(address):
        return refusal(inner)
    # What is multicast counts as global there.
    public = address.is_global and not address.is_multicast and not _within(address, _RESERVED)
    if public and (isinstance(address, IPv4Address) or address in _GLOBAL):
        return None
    # A tunnel's address is refused anyway; where it leads says more.
    inner = _tunnelled(address)
    return (refusal(inner) if inner else None) or _not_public("reserved_address_rejected", address)


def _not_public(code: str, address: Address) -> NetworkError:
    return NetworkError(
        code, f"leads to {address}, which is not on the public internet", rule="R-041"
    )


def _within(address: Address, blocks: Iterable[str]) -> bool:
    return any(address in ip_network(block) for block in blocks)  # False for the other version


def _translated(address: Address) -> IPv4Address | None:
    """The IPv4 address that is reached through an IPv6 address."""
    if isinstance(address, IPv6Address) and any(address in block for block in _TRANSLATED):
        return _last_bits(address)
    return None


def _tunnelled(address: Address) -> IPv4Address | None:
    """The IPv4 address in one of 6to4, Teredo, or the IPv4-compatible form."""
    if isinstance(address, IPv4Address):
        return None
    if address in _COMPATIBLE:
        return _last_bits(address)
    return address.sixtofour or (address.teredo[1] if address.teredo else None)


def _last_bits(address: IPv6Address) -> IPv4Address:
    return IPv4Address(int(address) & 0xFFFFFFFF)


def canonical_address(text: str) -> Address:
    """An address as a resolver gives it, without its zone.

    Raises:
        ValueError: it is no address.
    """
    return ip_address(text.partition("%")[0])
