"""Recurrence rules of foreign calendars, let through only where expanding them is bounded."""

import re
from collections.abc import Callable
from datetime import date

import msgspec

LONGEST_INTERVAL = 1_000
MOST_TIMES = 1_000
MOST_VALUES = 100
FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY")
_WEEKDAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_UNTIL = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T\d{6}Z?)?")


class RuleError(ValueError):
    """A rule that is refused; the message says which part."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that recurs daily at most, and ends: by `count`, or by `until` (its day), or at our horizon."""

    frequency: str
    interval: int = 1
    count: int | None = None
    until: date | None = None
    parts: tuple[tuple[str, str], ...] = ()


def parse(value: str) -> Rule:
    """Read an RRULE value, or RuleError."""
    given: dict[str, str] = {}
    for part in value.upper().split(";"):
        name, equals, text = part.partition("=")
        if not equals or name in given:
            raise RuleError(f"RRULE part {part[:40]!r} is not one.")
        given[name] = text
    frequency = given.pop("FREQ", "")
    if frequency not in FREQUENCIES:
        raise RuleError(f"FREQ={frequency[:20]} is not supported.")
    if "COUNT" in given and "UNTIL" in given:
        raise RuleError("COUNT and UNTIL exclude each other.")
    interval = _whole(given.pop("INTERVAL", "1"), "INTERVAL", LONGEST_INTERVAL)
    count = _whole(given.pop("COUNT"), "COUNT", MOST_TIMES) if "COUNT" in given else None
    until = _until(given.pop("UNTIL")) if "UNTIL" in given else None
    for name, text in given.items():
        _check(name, text)
    parts = tuple(sorted(given.items()))
    return Rule(frequency=frequency, interval=interval, count=count, until=until, parts=parts)


def _whole(text: str, name: str, most: int) -> int:
    if text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most:
        return int(text)
    raise RuleError(f"{name} must be 1 to {most}.")


def _until(text: str) -> date:
    found = _UNTIL.fullmatch(text)
    try:
        if found:
            return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        pass
    raise RuleError(f"UNTIL={text[:20]} is no date.")


def _within(most: int) -> Callable[[str], bool]:
    def fits(text: str) -> bool:
        bare = text.removeprefix("+").removeprefix("-")
        return bare.isascii() and bare.isdigit() and len(bare) < 4 and 1 <= int(bare) <= most

    return fits


_LISTS: dict[str, Callable[[str], bool]] = {
    "BYDAY": lambda text: _WEEKDAY.fullmatch(text) is not None,
    "BYMONTH": _within(12),
    "BYMONTHDAY": _within(31),
    "BYYEARDAY": _within(366),
    "BYWEEKNO": _within(53),
    "BYSETPOS": _within(366),
    "WKST": lambda text: text in ("MO", "TU", "WE", "TH", "FR", "SA", "SU"),
}


def _check(name: str, text: str) -> None:
    values = text.split(",")
    if name not in _LISTS:
        raise RuleError(f"{name[:20]} is not supported.")
    if len(values) > MOST_VALUES or not all(map(_LISTS[name], values)):
        raise RuleError(f"{name}={text[:40]} is not supported.")
