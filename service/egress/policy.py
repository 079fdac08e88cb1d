"""Which addresses a webhook may be sent to. A pure table of our own, not `ipaddress.is_global`.

`is_global` follows the Python release (CVE-2024-4032) and admits multicast, 6to4 and cloud metadata.
Here IPv4 denies what IANA calls special and IPv6 allows only what IANA calls global unicast, so an
address nobody thought of is refused. `tests/service/test_addresses.py` holds both against the registries.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import msgspec

from service.errors import Unprocessable

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

DENIED_IPV4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared (carrier NAT); 100.100.100.200 is a cloud's metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's host agent, a public-looking address
        "169.254.0.0/16",  # link-local; 169.254.169.254 is every other cloud's metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # IETF protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and the broadcast address
    )
)
# Everything outside is refused: loopback, mapped IPv4, NAT64, ULA, link-local, site-local, multicast.
GLOBAL_IPV6 = IPv6Network("2000::/3")
DENIED_IPV6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # IETF protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: carries any IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)

HTTPS_PORTS = frozenset({443, 8443})


class DestinationNotAllowed(Unprocessable):
    """The one public refusal. It says nothing about names, addresses or ports behind it."""

    name, title = "destination_not_allowed", "Webhooks cannot be sent there"
    advice = "Use an https URL on port 443 or 8443 of a public host, without a user, a zone or a fragment."

    def __init__(self) -> None:
        super().__init__("The destination is not allowed.")


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The address rules: https to public addresses, and anything inside the operator's own networks."""

    allow: tuple[Network, ...] = ()

    def admits(self, address: Address, *, scheme: str, port: int) -> bool:
        """An allow-list entry opens its own network for any port and for http, and no other address."""
        if any(address.version == network.version and address in network for network in self.allow):
            return True
        return _is_web(scheme, port) and is_public(address)

    def admits_names(self, *, scheme: str, port: int) -> bool:
        """Whether a host name can be right at all; each address it resolves to is judged at sending."""
        return bool(self.allow) or _is_web(scheme, port)

    def admits_text(self, text: str, *, scheme: str, port: int) -> bool:
        """Does what `admits` does for an address as a resolver writes it; refuses what cannot be read."""
        try:
            return self.admits(ip_address(text), scheme=scheme, port=port)
        except ValueError:
            return False


def _is_web(scheme: str, port: int) -> bool:
    return scheme == "https" and port in HTTPS_PORTS


def is_public(address: Address) -> bool:
    """Whether our table calls the address a host on the public internet."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in DENIED_IPV4)
    if address.scope_id is not None or address not in GLOBAL_IPV6:
        return False
    return not any(address in network for network in DENIED_IPV6)
