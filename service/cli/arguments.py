"""What a person asks for on the command line, as the values the service knows."""

from datetime import UTC, datetime
from typing import get_args

import msgspec

from service.catalogue.filters import FilterBody, parse_filters
from service.catalogue.validation import Invalid
from service.cli.console import KOREA, Misused
from service.reminders.webhook import Anchor, Change, Rate, Rule, rule_faults

DAYS = (("P7D", "09:00"), ("P1D", "09:00"), ("P0D", "09:00"), ("PT3H", None))
ANCHORS: tuple[Anchor, ...] = ("start", "opens", "closes")
# D-7, D-1 and D-day of everything at 09:00, and three hours before it.
COUNTDOWN = tuple(Rule(anchor=anchor, before=before, at=at) for anchor in ANCHORS for before, at in DAYS)
COUNTDOWN_TEXT = "D-7, D-1 and D-day of everything at 09:00, and 3 hours before"
ANY_ANCHOR: tuple[Anchor, ...] = get_args(Anchor)
FILTERS = tuple(field.encode_name for field in msgspec.structs.fields(FilterBody))
# Time travel stays where a reminder of a year before, or a zone, does not leave the calendar.
YEARS = range(1900, 3000)
EVERY_CHANGE: tuple[Change, ...] = get_args(Change)


def rules_of(texts: tuple[str, ...]) -> tuple[Rule, ...]:
    """`closes:P7D`, `closes:P0D@09:00` and their like."""
    return tuple(_rule(text) for text in texts)


def _rule(text: str) -> Rule:
    anchor, rest = pair(text, ":", flag="--remind")
    before, sign, at = rest.partition("@")
    if anchor not in ANY_ANCHOR:
        raise Misused(f"--remind: {anchor!r} is none of {', '.join(ANY_ANCHOR)}.")
    if faults := rule_faults(Rule(anchor=anchor, before=before, at=at if sign else None)):
        raise Misused(f"--remind {text}: {faults[0].detail}.")
    try:
        return msgspec.convert({"anchor": anchor, "before": before, "at": at if sign else None}, Rule)
    except msgspec.ValidationError:
        raise Misused(f"--remind {text}: {at!r} is no time of day, such as 09:00.") from None


def rate_of(text: str | None) -> Rate | None:
    """`60/PT1M`: at most so many requests within such a time; the service says what of it cannot be."""
    if text is None:
        return None
    count, per = pair(text, "/", flag="--rate")
    if not (count.isascii() and count.isdecimal()):
        raise Misused(f"--rate {text}: {count!r} is no number of requests.")
    return Rate(count=int(count), per=per)


def filter_of(pairs: tuple[str, ...]) -> FilterBody:
    """`tag=ai tag=bio disputed=true`."""
    given = [pair(text, "=", flag="--filter") for text in pairs]
    for name, _ in given:
        if name not in FILTERS:
            raise Misused(f"--filter: {name!r} is none of {', '.join(FILTERS)}.")
    try:
        parse_filters(given)
    except Invalid as invalid:
        faults = "; ".join(f"--filter {fault.parameter}: {fault.detail}" for fault in invalid.faults)
        raise Misused(f"{faults}.") from None
    gathered: dict[str, list[str]] = {}
    for name, value in given:
        gathered.setdefault(name, []).append(value)
    return msgspec.convert({name: _value(name, values) for name, values in gathered.items()}, FilterBody)


def pair(text: str, sign: str, *, flag: str) -> tuple[str, str]:
    first, found, second = text.partition(sign)
    if not (first and found and second):
        raise Misused(f"{flag}: {text!r} must be two parts with {sign} between them.")
    return first, second


def day(text: str, *, flag: str = "A day") -> datetime:
    """Midnight in Korea of an ISO date, or an instant as it is written."""
    try:
        at = datetime.fromisoformat(text)
        instant = (at if at.tzinfo else at.replace(tzinfo=KOREA)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Misused(f"{flag}: {text!r} must be a date or an instant, such as 2025-08-01.") from None
    if instant.year not in YEARS:
        raise Misused(f"{flag}: {text!r} must lie in the years {YEARS[0]} to {YEARS[-1]}.")
    return instant


def _value(name: str, values: list[str]) -> object:
    if name in ("disputed", "unsupported") and values in (["true"], ["false"]):
        return values == ["true"]
    return values[0] if len(values) == 1 else values
