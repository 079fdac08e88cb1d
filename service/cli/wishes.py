"""What a person asks for on the command line, as the values the service knows."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeVar, get_args

import msgspec

from service.catalogue.filters import FilterBody
from service.cli.arrivals import KOREA
from service.cli.console import Misused
from service.reminders.rules import Anchor, Change, Rule

T = TypeVar("T")
DAYS = ("P7D", "P1D", "PT0S")
ANCHORS: tuple[Anchor, ...] = ("start", "opens", "closes")
# D-7, D-1 and D-day of everything.
COUNTDOWN = tuple(Rule(anchor=anchor, before=before) for anchor in ANCHORS for before in DAYS)
EVERY_CHANGE: tuple[Change, ...] = get_args(Change)


def rules_of(texts: tuple[str, ...]) -> tuple[Rule, ...]:
    """`closes:P7D` and its like; the service judges the length of time."""
    parts = [pair(text, ":") for text in texts]
    for anchor, before in parts:
        _one_of("--remind", anchor, get_args(Anchor))
        if not before.startswith(("P", "-P")):
            raise Misused(f"--remind: {before!r} must be a length of time, such as P7D or PT24H.")
    return _as(
        [{"anchor": anchor, "before": before} for anchor, before in parts], tuple[Rule, ...], "--remind"
    )


def filter_of(pairs: tuple[str, ...]) -> FilterBody:
    """`tag=ai tag=bio disputed=true`."""
    gathered: dict[str, list[str]] = {}
    for text in pairs:
        name, value = pair(text, "=")
        _one_of("--filter", name, [field.encode_name for field in msgspec.structs.fields(FilterBody)])
        gathered.setdefault(name, []).append(value)
    return _as({name: _value(name, values) for name, values in gathered.items()}, FilterBody, "--filter")


def _one_of(flag: str, said: str, names: Sequence[str]) -> None:
    if said not in names:
        raise Misused(f"{flag}: {said!r} is none of {', '.join(names)}.")


def pair(text: str, sign: str) -> tuple[str, str]:
    first, found, second = text.partition(sign)
    if not (first and found and second):
        raise Misused(f"{text!r} must be two parts with {sign} between them.")
    return first, second


def day(text: str) -> datetime:
    """Midnight in Korea of an ISO date, or an instant as it is written."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Misused(f"{text!r} must be a date or an instant, such as 2025-08-01.") from None
    return (at if at.tzinfo else at.replace(tzinfo=KOREA)).astimezone(UTC)


def _value(name: str, values: list[str]) -> object:
    if name == "disputed" and values in (["true"], ["false"]):
        return values == ["true"]
    return values[0] if len(values) == 1 else values


def _as(value: object, kind: type[T], flag: str) -> T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise Misused(f"{flag}: {error}") from None
