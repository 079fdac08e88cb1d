"""Reading a webhook's URL the one way everything else will see it: strict, canonical, without DNS.

Two parsers that read one text differently are how guards are passed, so a text that any of them could
read in another way is refused here, and only the canonical spelling made here is ever dialled.
"""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address

import idna
import msgspec

from service.egress.policy import Address, DestinationNotAllowed, Policy

LONGEST_URL = 2000
DEFAULT_PORTS = {"https": 443, "http": 80}
# No userinfo, no backslash, no percent sign in the host, no fragment, nothing that is not printable.
URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[^\s/?#@:%\\\[\]]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<target>(?:[/?][^\s#\\]*)?)",
    re.IGNORECASE,
)
LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
# WHATWG's "ends in a number": such a host is an IPv4 address in some client's eyes, never a name.
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """The destination of a request: `address` is set if the host is written as one, otherwise DNS decides."""

    scheme: str
    host: str
    port: int
    address: Address | None
    url: str


def parse(url: str) -> Destination:
    """The canonical destination; DestinationNotAllowed for every text that is not plainly one."""
    match = URL.fullmatch(url) if len(url) <= LONGEST_URL and url.isprintable() else None
    if match is None:
        raise DestinationNotAllowed
    scheme = match["scheme"].lower()
    host, address = _host(match["host"])
    port = int(match["port"] or DEFAULT_PORTS[scheme])
    if not 0 < port < 65_536:
        raise DestinationNotAllowed
    shown = host if port == DEFAULT_PORTS[scheme] else f"{host}:{port}"
    target = match["target"] if match["target"].startswith("/") else f"/{match['target']}"
    return Destination(
        scheme=scheme, host=host, port=port, address=address, url=f"{scheme}://{shown}{target}"
    )


def check(url: str, *, policy: Policy) -> Destination:
    """Refuses what needs no DNS to refuse: the scheme, the port, an address written out."""
    destination = parse(url)
    scheme, port, address = destination.scheme, destination.port, destination.address
    if address is None:
        admitted = policy.admits_names(scheme=scheme, port=port)
    else:
        admitted = policy.admits(address, scheme=scheme, port=port)
    if not admitted:
        raise DestinationNotAllowed
    return destination


def _host(text: str) -> tuple[str, Address | None]:
    if text.startswith("["):
        return _ipv6(text)
    name = _ascii(text)
    labels = name.split(".")
    if NUMBER.fullmatch(labels[-1]):
        return _ipv4(name)
    if len(name) > 253 or not all(LABEL.fullmatch(label) for label in labels):
        raise DestinationNotAllowed
    return name, None


def _ipv6(text: str) -> tuple[str, Address]:
    try:
        address = IPv6Address(text[1:-1])
    except AddressValueError:
        raise DestinationNotAllowed from None
    return f"[{address}]", address


def _ipv4(name: str) -> tuple[str, Address]:
    """Four decimal numbers only: octal, hexadecimal, short and one-number spellings are refused."""
    try:
        address = IPv4Address(name)
    except AddressValueError:
        raise DestinationNotAllowed from None
    return str(address), address


def _ascii(text: str) -> str:
    """Lower-case ASCII by UTS 46, so full-width digits and IDN dots are read before they are judged."""
    try:
        name = text.lower() if text.isascii() else idna.encode(text, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        raise DestinationNotAllowed from None
    return name.removesuffix(".")
