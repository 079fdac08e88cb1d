"""Writes dates in Korean and English words, never finer than they are known."""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import pairwise
from typing import Literal

import msgspec

from service.catalogue import dates, evidence
from service.catalogue.dates import Edtf
from service.catalogue.event import CloseRule, Event, Language, PreviousDates
from service.catalogue.vocabulary import FIELDS, WINDOW_DATES, LocalizedText, SharedPhrases, pick, table

_HOME_ZONE = "Asia/Seoul"
# Where it is still the day anywhere on earth.
_ZONES = {"Etc/GMT+12": "AoE"}
_WEEKDAYS_KO = "월화수목금토일"
_WEEKDAYS_EN = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS_EN = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip
UNDATED = LocalizedText(ko="날짜 미정", en="date to be announced")
CANCELLED = LocalizedText(ko="취소", en="cancelled")
# How a window ends that has no date to end on.
_CLOSE_RULES = table("""
until_exhausted | 예산 소진 시까지        | until the budget is used up
first_come      | 선착순 마감             | first come, first served
rolling         | 상시                    | rolling
recurring       | 정해진 주기로 접수      | open at regular times
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


def event_label(event: Event) -> LocalizedText:
    """The dates of an event, of disputed ones all that sources say."""
    starts, ends = evidence.told(event, "start"), evidence.told(event, "end")
    rule = (event.close_rule or "unknown") if event.is_window else None
    if event.status == "cancelled":
        # No date of it is to be announced.
        starts, ends = (tuple(e for e in told if e.precision != "unknown") for told in (starts, ends))
        if not starts and not ends:
            return CANCELLED
        rule = "unknown" if event.is_window else None
    return _zoned(_label(starts, ends, rule), (*starts, *ends), event.timezone)


def label(
    start: Edtf | None, end: Edtf | None, *, timezone: str, rule: CloseRule | None = None
) -> LocalizedText:
    """A pair of dates. `rule` is a window's, null for any other kind."""
    starts, ends = ((edtf,) if edtf is not None else () for edtf in (start, end))
    return _zoned(_label(starts, ends, rule), (*starts, *ends), timezone)


def _zoned(text: LocalizedText, dated: Sequence[Edtf], timezone: str) -> LocalizedText:
    """A zone is named beside a time of day when it is not Seoul's."""
    if all(edtf.minute is None for edtf in dated) or timezone == _HOME_ZONE:
        return text
    zone = _ZONES.get(timezone, timezone)
    return LocalizedText(ko=f"{text.ko} ({zone})", en=f"{text.en} ({zone})")


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


def _label(starts: Sequence[Edtf], ends: Sequence[Edtf], rule: CloseRule | None) -> LocalizedText:
    closes = _CLOSE_RULES.get(rule) if rule else None
    if starts and ends:
        return _range(starts[0], ends[0]) if len(starts) == len(ends) == 1 else _listed(starts, ends)
    if ends:
        one = _listed(ends)
        return LocalizedText(ko=f"{one.ko}까지", en=f"until {one.en}") if ends[0].first else one
    if not starts:
        return closes or UNDATED
    one = _listed(starts)
    if rule is None or starts[0].first is None:
        return one
    tail = closes or LocalizedText(ko="", en="")
    return LocalizedText(ko=f"{one.ko}부터 {tail.ko}".strip(), en=f"from {one.en}, {tail.en}".rstrip(", "))


def _one(edtf: Edtf) -> LocalizedText:
    return LocalizedText(ko=_korean(edtf), en=_english(edtf))


def _listed(starts: Sequence[Edtf], ends: Sequence[Edtf] = ()) -> LocalizedText:
    """Disputed dates: "3월 2일(월) ~ 25일(수) 또는 27일(금)".

    Each leaves out what it shares with its neighbour: in Korean the one before, in English the one after.
    """
    dated = (*starts, *ends)
    shared: list[Unit] = [_neighbours(one, other) for one, other in pairwise(dated)]
    ko, en = _korean(dated[0]), ""
    around = zip(dated, ("nothing", *shared), (*shared, "nothing"), strict=True)
    for index, (edtf, before, after) in enumerate(around):
        if index:
            tilde, dash = ("~", "–") if index == len(starts) else ("또는", "or")
            ko, en = f"{ko} {tilde} {_korean(edtf, unsaid=before)}", f"{en} {dash} "
        # A time after its day needs no day, so the day is told where it is.
        en += _english(edtf, unsaid="day" if before == "day" else "nothing" if after == "day" else after)
    return LocalizedText(ko=ko, en=en)


def _neighbours(one: Edtf, other: Edtf) -> Unit:
    """What two dates share; of one day only where the second has a time that can stand without it."""
    shared = _shared(one, other)
    return "month" if shared == "day" and other.minute is None else shared


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
