"""How each setting is written. Parsers raise ValueError with words that complete "DDAY_X must be ..."."""

import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

Network = IPv4Network | IPv6Network
LogLevel = Literal["debug", "info", "warning", "error"]

SECONDS = timedelta(seconds=1)
UNITS = {"ms": SECONDS / 1000, "s": SECONDS, "m": 60 * SECONDS, "h": 3600 * SECONDS, "d": 86400 * SECONDS}


def _database_url(text: str) -> str:
    path = text.removeprefix("sqlite:///")
    if path != text and path not in ("", ":memory:") and not {"?", "#", "\0"} & set(path):
        return text
    if text.startswith("postgresql://"):
        return text
    raise ValueError("sqlite:///path/to/file.db or postgresql://user@host/name")


def _host(text: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9.:_-]{1,253}", text):
        return text
    raise ValueError("an address or host name to listen on, such as 127.0.0.1 or 0.0.0.0")


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if re.fullmatch(r"[0-9]{1,9}", text) and least <= int(text) <= most:
            return int(text)
        raise ValueError(f"a whole number from {least} to {most}")

    return parse


def url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme in ("http", "https") and parts.hostname and not (parts.query or parts.fragment):
        return text.rstrip("/")
    raise ValueError("an http or https address, such as https://dday.example.org")


def signing_secret(text: str) -> str:
    """A symmetric secret of Standard Webhooks: 24 to 64 bytes."""
    prefix, found, encoded = text.partition("whsec_")
    try:
        if found and not prefix and 24 <= len(b64decode(encoded, validate=True)) <= 64:
            return text
    except ValueError:
        pass  # not base64, or not even ASCII
    raise ValueError("a webhook's secret: whsec_ and 24 to 64 bytes in base64, as it was shown when made")


def _admin_key(text: str) -> str:
    if re.fullmatch(r"dday_[A-Za-z0-9_-]{32,200}", text):
        return text
    raise ValueError(
        "dday_ and at least 32 random characters (after dday_, `openssl rand -hex 32` makes them)"
    )


def _secret_key(text: str) -> str:
    if re.fullmatch(r"[0-9a-fA-F]{64}", text):
        return text.lower()
    raise ValueError("32 bytes written as 64 hexadecimal digits (`openssl rand -hex 32` makes one)")


def _domain(text: str) -> str:
    if re.fullmatch(r"(?=.{1,100}$)[a-z0-9-]+(\.[a-z0-9-]+)*", text):
        return text
    raise ValueError("a domain name in lower case, such as dday.example.org")


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise ValueError(f"networks such as 10.0.0.0/8,fd00::/8 ({error})") from None


def _duration(text: str) -> timedelta:
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h|d)", text.strip())
    if match and float(match[1]) > 0:
        return float(match[1]) * UNITS[match[2]]
    raise ValueError("a length of time above zero, such as 500ms, 15s, 2m, 1h or 1d")


def _durations(text: str) -> tuple[timedelta, ...]:
    parts = [part for part in text.split(",") if part.strip()]
    if not 1 <= len(parts) <= 50:
        raise ValueError("one to fifty lengths of time, such as 5s,30s,2m,1h")
    return tuple(_duration(part) for part in parts)


def _seeds(text: str) -> Path | None:
    if text == "none":
        return None
    if Path(text).is_dir():
        return Path(text)
    raise ValueError("a folder of seeds, or none")


def _log(text: str) -> str:
    if text in get_args(LogLevel):
        return text
    raise ValueError("one of " + ", ".join(get_args(LogLevel)))


def _switch(text: str) -> bool:
    if text in ("1", "true", "yes", "0", "false", "no"):
        return text in ("1", "true", "yes")
    raise ValueError("1 or 0")


PARSERS: Mapping[str, Callable[[str], Any]] = {
    "database_url": _database_url,
    "host": _host,
    "port": _whole(1, 65_535),
    "public_url": url,
    "admin_key": _admin_key,
    "secret_key": _secret_key,
    "uid_domain": _domain,
    "egress_allow": _networks,
    "retry_schedule": _durations,
    "attempt_timeout": _duration,
    "lease": _duration,
    "concurrency": _whole(1, 10_000),
    "seeds": _seeds,
    "log": _log,
    "deliver": _switch,
    "rate_limit": _whole(0, 1_000_000),
}


def spelt(value: Any) -> str:
    """What the parsers read as this value."""
    match value:
        case None:
            return "none"
        case bool():
            return "1" if value else "0"
        case timedelta():
            return f"{value / SECONDS:.3f}s"
        case tuple():
            return ",".join(map(spelt, value))
        case _:
            return str(value)
