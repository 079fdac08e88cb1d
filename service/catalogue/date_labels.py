"""Writes dates in Korean and English words, never finer than they are known."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Literal

import msgspec

from service.catalogue import dates, evidence
from service.catalogue.dates import Edtf
from service.catalogue.event import CloseRule, Event, Language, PreviousDates
from service.catalogue.vocabulary import FIELDS, WINDOW_DATES, LocalizedText, SharedPhrases, pick, table

_HOME_ZONE = "Asia/Seoul"
_WEEKDAYS_KO = "월화수목금토일"
_WEEKDAYS_EN = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS_EN = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip
UNDATED = LocalizedText(ko="날짜 미정", en="date to be announced")
# How a window ends that has no date to end on.
_CLOSE_RULES = table("""
until_exhausted | 예산 소진 시까지        | until the budget is used up
first_come      | 선착순 마감             | first come, first served
rolling         | 상시                    | rolling
varies          | 마감일 세부사업별 상이  | closing dates vary
to_be_announced | 마감일 추후 공지        | closing date to be announced
""")

# The finest unit that one date of a range leaves out, because the other one says it.
Unit = Literal["nothing", "year", "month", "day"]


class _Parts(msgspec.Struct, frozen=True, kw_only=True):
    """The written parts of a date; null where the text has nothing or only X."""

    year: str | None
    month: int | None
    day: int | None
    full: date | None


def label(
    start: Edtf | None, end: Edtf | None, *, timezone: str, rule: CloseRule | None = None
) -> LocalizedText:
    """The dates of an event. `rule` is a window's, null for any other kind.

    A zone is named beside a time of day when it is not Seoul's.
    """
    text = _label(start, end, rule)
    timed = any(edtf is not None and edtf.minute is not None for edtf in (start, end))
    if not timed or timezone == _HOME_ZONE:
        return text
    return LocalizedText(ko=f"{text.ko} ({timezone})", en=f"{text.en} ({timezone})")


def previous_label(previous: PreviousDates, *, timezone: str, lang: Language) -> str:
    """Dates that once held."""
    start = dates.parse(previous.start) if previous.start else None
    end = dates.parse_end(previous.end) if previous.end else None
    return pick(label(start, end, timezone=timezone), lang)


def unsupported(event: Event, phrases: SharedPhrases) -> Iterator[str]:
    """Yields sentences about the dates that no evidence supports, with what all of it says instead."""
    names = WINDOW_DATES if event.is_window else FIELDS
    found = [(pick(names[item.field], phrases.lang), item.said) for item in evidence.unsupported(event)]
    if bare := [name for name, said in found if not said]:
        yield phrases.unsupported.format(", ".join(bare))
    for name, said in found:
        if said:
            dated = " / ".join(date_label(dates.parse_end(value), phrases.lang) for value in said)
            yield phrases.contradicted.format(f"{name} {dated}")


def date_label(edtf: Edtf, lang: Language) -> str:
    """One date, without its zone."""
    return _korean(edtf) if lang == "ko" else _english(edtf)


def _label(start: Edtf | None, end: Edtf | None, rule: CloseRule | None) -> LocalizedText:
    closes = _CLOSE_RULES.get(rule) if rule else None
    if start is not None and end is not None:
        return _range(start, end)
    if end is not None:
        return (
            LocalizedText(ko=f"{_korean(end)}까지", en=f"until {_english(end)}") if end.first else _one(end)
        )
    if start is None:
        return closes or UNDATED
    if rule is None or start.first is None:
        return _one(start)
    tail = closes or LocalizedText(ko="", en="")
    return LocalizedText(
        ko=f"{_korean(start)}부터 {tail.ko}".strip(), en=f"from {_english(start)}, {tail.en}".rstrip(", ")
    )


def _one(edtf: Edtf) -> LocalizedText:
    return LocalizedText(ko=_korean(edtf), en=_english(edtf))


def _range(start: Edtf, end: Edtf) -> LocalizedText:
    """In Korean the later date leaves out what both have in common, in English the earlier."""
    shared = _shared(start, end)
    if start.text == end.text or (shared == "day" and end.minute is None):
        return _one(start)
    ko = f"{_korean(start)} ~ {_korean(end, unsaid=shared)}"
    if shared != "day":
        return LocalizedText(ko=ko, en=f"{_english(start, unsaid=shared)} – {_english(end)}")
    dash = ", until " if start.minute is None else " – "
    return LocalizedText(ko=ko, en=f"{_english(start)}{dash}{_english(end, unsaid=shared)}")


def _shared(start: Edtf, end: Edtf) -> Unit:
    """Returns the units that two dates of a range share and a reader takes over from one to the other."""
    kinds = ["day" if edtf.precision == "minute" else edtf.precision for edtf in (start, end)]
    if start.qualified or end.qualified or kinds not in (["day", "day"], ["month", "month"]):
        return "nothing"
    if start.text[:4] != end.text[:4]:
        return "nothing"
    if kinds[0] == "day" and start.first == end.first:
        return "day"
    timed = start.minute is not None or end.minute is not None
    return "month" if kinds[0] == "day" and start.text[:7] == end.text[:7] and not timed else "year"


def _korean(edtf: Edtf, *, unsaid: Unit = "nothing") -> str:
    parts, time = _parts(edtf), _time(edtf)
    if unsaid == "day":
        return time
    said = (
        _year_ko(parts.year) if parts.year and unsaid == "nothing" else "",
        f"{parts.month}월" if parts.month and unsaid != "month" else "",
        f"{parts.day}일" if parts.day else "",
    )
    weekday = f"({_weekday(parts, _WEEKDAYS_KO)})" if parts.full else ""
    text = " ".join(part for part in said if part) + weekday
    if not text:
        return UNDATED.ko
    text += _missing(parts, year="연도", month="월", both="연도·월", note="({} 미상)")
    text += "경" if edtf.approximate else ""
    return text + (f" {time}" if time else "") + (" (미확인)" if edtf.uncertain else "")


def _english(edtf: Edtf, *, unsaid: Unit = "nothing") -> str:
    parts, time = _parts(edtf), _time(edtf)
    if unsaid == "day":
        return time
    text = _day_en(parts, with_month=unsaid != "month")
    if parts.year and unsaid == "nothing":
        comma = "," if parts.day and not parts.month else ""
        text = f"{text}{comma} {_year_en(parts.year)}" if text else _year_en(parts.year)
    if not text:
        return UNDATED.en
    text += _missing(parts, year="year", month="month", both="year and month", note=" ({} unknown)")
    text = f"around {text}" if edtf.approximate else text
    return text + (f", {time}" if time else "") + (" (unconfirmed)" if edtf.uncertain else "")


def _parts(edtf: Edtf) -> _Parts:
    year, _, rest = edtf.text.partition("T")[0].rstrip("?~%").partition("-")
    month, _, day = rest.partition("-")
    return _Parts(
        year=None if year == "XXXX" else year,
        month=int(month) if month not in ("", "XX") else None,
        day=int(day) if day else None,
        full=edtf.first if edtf.precision in ("day", "minute") else None,
    )


def _time(edtf: Edtf) -> str:
    return edtf.text.partition("T")[2]


def _missing(parts: _Parts, *, year: str, month: str, both: str, note: str) -> str:
    """Notes which units of a date with a day are unknown."""
    no_year = parts.year is None
    no_month = parts.month is None and parts.day is not None
    if not no_year and not no_month:
        return ""
    return note.format(both if no_year and no_month else year if no_year else month)


def _year_ko(year: str) -> str:
    if "X" in year:
        return f"{year[:3]}0년대" if year[2] != "X" else f"{year[:2]}00~{year[:2]}99년"
    return f"{int(year)}년"


def _year_en(year: str) -> str:
    if "X" in year:
        return f"{year[:3]}0s" if year[2] != "X" else f"{year[:2]}00–{year[:2]}99"
    return str(int(year))


def _day_en(parts: _Parts, *, with_month: bool) -> str:
    if parts.full is not None:
        day = f"{_weekday(parts, _WEEKDAYS_EN)}, {parts.day}"
        return f"{day} {_MONTHS_EN[parts.full.month - 1][:3]}" if with_month else day
    month = _MONTHS_EN[parts.month - 1] if parts.month else ""
    if parts.day is None:
        return month
    return f"{parts.day} {month}" if month else f"day {parts.day}"


def _weekday(parts: _Parts, names: Sequence[str]) -> str:
    return names[parts.full.weekday()] if parts.full is not None else ""
