"""Every way to write a forbidden address into a URL, or to hide it behind a name."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path

from service.egress.policy import Address

REGISTRIES = Path(__file__).parent / "data" / "iana-special-registries.csv"
FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")


def forbidden() -> list[Address]:
    """Two addresses of every block: near its start and near its end."""
    lines = [line for line in REGISTRIES.read_text().splitlines() if line and not line.startswith("#")]
    networks = [ip_network(line.split(",")[0]) for line in lines]
    return list(dict.fromkeys(n[i] for n in networks for i in (min(1, n.num_addresses - 1), -1)))


def hosts(address: Address) -> list[str]:
    return _ipv4(address) if isinstance(address, IPv4Address) else _ipv6(address)


def urls(address: Address) -> Iterator[str]:
    for host in hosts(address):
        yield from (f"https://{host}/", f"https://{host}:8443/x", f"http://{host}/", f"https://{host}:22/")


def _ipv4(address: IPv4Address) -> list[str]:
    a, b, c, d = address.packed
    whole = int(address)
    return [
        str(address),
        f"{address}.",
        str(address).translate(FULL_WIDTH),
        str(address).replace(".", "。"),
        f"{whole}",
        f"{whole:#x}",
        f"{whole:#o}".replace("0o", "0"),
        f"{a:#x}.{b:#x}.{c:#x}.{d:#x}",
        f"0{a:o}.0{b:o}.0{c:o}.0{d:o}",
        f"{a}.{b}.{c * 256 + d}",
        f"{a}.{whole & 0xFFFFFF}",
        f"{address}.0",
        f"0{address}",
        "".join(f"%{ord(char):02x}" for char in str(address)),
        f"[::ffff:{address}]",
        f"[::{address}]",
        f"[64:ff9b::{address}]",
        f"[2002:{a:02x}{b:02x}:{c:02x}{d:02x}::1]",
        f"user@{address}",
        f"example.com@{address}",
        f"example.com\\@{address}",
    ]


def _ipv6(address: IPv6Address) -> list[str]:
    return [
        f"[{address}]",
        f"[{address.exploded}]",
        f"[{str(address).upper()}]",
        f"[{address}%25eth0]",
        f"[{address}%eth0]",
        f"[{address}].",
        f"{address}",
        f"user@[{address}]",
    ]
