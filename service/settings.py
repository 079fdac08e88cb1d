"""The only reader of the environment: every `DDAY_*` setting, its default and one sentence about it.

A flag of `dday serve` overrides the environment. An unknown or bad setting stops the start with a
sentence that names it; nothing is guessed.
"""

import os
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

import msgspec

from service.errors import OperatorError

PREFIX = "DDAY_"
BUNDLED_SEEDS = Path(__file__).resolve().parent.parent / "seeds"
SECRETS = ("admin_key", "secret_key", "database_url")


# Parsers raise ValueError with words that complete "DDAY_X must be ...".
Network = IPv4Network | IPv6Network
LogLevel = Literal["debug", "info", "warning", "error"]

SECONDS = timedelta(seconds=1)
# From where on a length of time is written in hours, minutes or seconds: 60s, not 1m.
LEGIBLE = {"h": 3600 * SECONDS, "m": 120 * SECONDS, "s": SECONDS}
UNITS = {"ms": SECONDS / 1000, "s": SECONDS, "m": 60 * SECONDS, "h": 3600 * SECONDS, "d": 86400 * SECONDS}


def _database_url(text: str) -> str:
    path = text.removeprefix("sqlite:///")
    if path != text and path not in ("", ":memory:") and not {"?", "#", "\0"} & set(path):
        return text
    scheme, found, rest = text.partition("://")
    if found and scheme in ("postgresql", "postgres"):
        # Heroku and its like write the latter, which libpq knows as well.
        return f"postgresql://{rest}"
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
    "http2": _switch,
}


def spelt(value: Any) -> str:
    """Returns the text that the parsers read as this value."""
    match value:
        case None:
            return "none"
        case bool():
            return "1" if value else "0"
        case timedelta():
            unit = next(
                (unit for unit, least in LEGIBLE.items() if value >= least and not value % UNITS[unit]), "ms"
            )
            return f"{value / UNITS[unit]:g}{unit}"
        case tuple():
            return ",".join(map(spelt, value))
        case _:
            return str(value)


class SettingsError(OperatorError):
    """A setting that stops the start; the message names it and says what would be right."""

    exit_code = 2


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The operator's settings. Field `port` is `DDAY_PORT` in the environment and `--port` on the line."""

    database_url: str = "sqlite:///dday.db"
    host: str = "127.0.0.1"
    port: int = 8000
    public_url: str | None = None
    admin_key: str | None = None
    secret_key: str | None = None
    uid_domain: str = "dday.local"
    egress_allow: tuple[Network, ...] = ()
    retry_schedule: tuple[timedelta, ...] = _durations("5s,30s,2m,10m,30m,1h,2h,4h,8h,8h")
    attempt_timeout: timedelta = 15 * SECONDS
    lease: timedelta = 60 * SECONDS
    concurrency: int = 256
    seeds: Path | None = BUNDLED_SEEDS
    log: LogLevel = "info"
    deliver: bool = True
    rate_limit: int = 6000
    http2: bool = False

    def __repr__(self) -> str:
        """Without the secrets: a settings value may end in a log or a traceback."""
        shown = (f"{name}={getattr(self, name)!r}" for name in self.__struct_fields__ if name not in SECRETS)
        return f"Settings({', '.join(shown)})"

    @property
    def base_url(self) -> str:
        """The address at which people reach this service, without a slash at the end."""
        host = "localhost" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104
        host = f"[{host}]" if ":" in host else host
        return self.public_url or f"http://{host}:{self.port}"

    @property
    def sqlite_file(self) -> Path | None:
        """The database file; None on PostgreSQL."""
        scheme, _, path = self.database_url.partition(":///")
        return Path(path) if scheme == "sqlite" else None

    @property
    def key_file(self) -> Path | None:
        """The file beside a SQLite database that holds the secret key unless `secret_key` is set."""
        return self.sqlite_file.with_suffix(".key") if self.sqlite_file else None


def from_environment(flags: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process: flags over environment over defaults."""
    return read(os.environ, flags or {})


def read(environ: Mapping[str, str], flags: Mapping[str, str]) -> Settings:
    """Turn texts into settings. A faulty one is named as its owner wrote it: `DDAY_PORT` or `--port`."""
    ours = ((key, text) for key, text in environ.items() if _is_ours(key, text))
    named = {key.removeprefix(PREFIX).lower(): (key, text) for key, text in ours}
    named |= {key: (f"--{key.replace('_', '-')}", text) for key, text in flags.items()}
    for field, (name, _) in named.items():
        if field not in PARSERS:
            known = ", ".join(PREFIX + known.upper() for known in PARSERS)
            raise SettingsError(f"{name} is not a setting of Dday. The settings are: {known}.")
    settings = Settings(**{field: _parsed(field, name, text) for field, (name, text) in named.items()})
    return _consistent(settings)


def _is_ours(key: str, text: str) -> bool:
    return (
        key.startswith(PREFIX)
        and key not in CLIENT_VARIABLES
        and not KUBERNETES.fullmatch(f"{key.removeprefix(PREFIX)}={text}")
    )


# These belong to the commands that talk to a running service, not to the service.
CLIENT_VARIABLES = ("DDAY_API_KEY", "DDAY_URL", "DDAY_LISTEN_SECRET")
# What Kubernetes tells every container about a Service named dday or dday-web, in Docker's words for a link:
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
KUBERNETES = re.compile(
    r"(?:[A-Z0-9_]+_)?(?:SERVICE_HOST=[0-9a-f.:]+|SERVICE_PORT(?:_[A-Z0-9_]+)?=[0-9]+"
    r"|PORT(?:_[0-9]+_(?:TCP|UDP|SCTP))?=(?:tcp|udp|sctp)://[0-9a-f.:\[\]]+"
    r"|PORT_[0-9]+_(?:TCP|UDP|SCTP)_(?:PROTO=(?:tcp|udp|sctp)|PORT=[0-9]+|ADDR=[0-9a-f.:]+))"
)


class Remote(msgspec.Struct, frozen=True, kw_only=True):
    """The running service that `dday webhooks` talks to, and with which key."""

    url: str
    api_key: str | None


def remote_from_environment(asked: str | None = None) -> Remote:
    """`DDAY_URL` (default: the port this machine would serve on) and `DDAY_API_KEY`."""
    found = asked or os.environ.get("DDAY_URL") or from_environment().base_url
    key = os.environ.get("DDAY_API_KEY") or None
    if key and not re.fullmatch(r"[!-~]+", key):
        raise SettingsError("DDAY_API_KEY must be a key as `dday keys create` shows it, nothing more.")
    return Remote(url=_parsed("public_url", "--url" if asked else "DDAY_URL", found), api_key=key)


def listen_secret(asked: str | None = None) -> str | None:
    """The secret that `dday listen` verifies with: as asked, or `DDAY_LISTEN_SECRET`."""
    found = os.environ.get("DDAY_LISTEN_SECRET") or None if asked is None else asked
    if found is None:
        return None
    try:
        return signing_secret(found)
    except ValueError as error:
        name = "DDAY_LISTEN_SECRET" if asked is None else "--secret"
        raise SettingsError(f"{name} must be {error}.") from None


def environment(settings: Settings) -> dict[str, str]:
    """The variables from which a process that is started reads these settings, and all that are not ours."""
    said = {name: getattr(settings, name) for name in settings.__struct_fields__}
    ours = {name: spelt(value) for name, value in said.items() if value is not None or name == "seeds"}
    others = {key: text for key, text in os.environ.items() if not key.startswith(PREFIX)}
    return others | {PREFIX + name.upper(): text for name, text in ours.items()}


def secret_key_of(text: str) -> bytes:
    """A key given for `dday secrets rotate`, in the form of DDAY_SECRET_KEY."""
    return bytes.fromhex(_parsed("secret_key", "--new-key", text))


def _parsed(field: str, name: str, text: str) -> Any:
    try:
        return PARSERS[field](text)
    except ValueError as error:
        shown = "" if field in SECRETS else f" It is {text[:80]!r}."
        raise SettingsError(f"{name} must be {error}.{shown}") from None


def _consistent(settings: Settings) -> Settings:
    # A worker may only start a send while lease - timeout - 5 s remain (notes/reliability.md section 5).
    if settings.lease < settings.attempt_timeout + 10 * SECONDS:
        raise SettingsError(
            "DDAY_LEASE must be at least 10 s longer than DDAY_ATTEMPT_TIMEOUT, or a slow receiver "
            "would be sent the same reminder twice."
        )
    return settings
