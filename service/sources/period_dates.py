"""Finds the dates in a period text and what joins them: the lexical half of `service.sources.period`."""

import re
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from msgspec import Struct, structs

from service.sources.period_words import ZONES

_WEEKDAYS = "월화수목금토일"
_WEEKDAYS_EN = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTHS_EN = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_EN = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?"
_SUFFIX = r"(?:st|nd|rd|th)?"
# A number that goes on as a time, or counts something, is no day.
_NO_MORE = r"(?!\d|\s*:\s*\d|\s*시(?!작)|\s*[억만천%배점개명억인]|,\d)"
_DAY = rf"(?P<{{0}}d>\d{{{{1,2}}}}){_NO_MORE}\s*(?:일(?!\s*간|\s*이내|\s*전|\s*후)|\.(?!\d))?"
_TOKEN = re.compile(
    rf"""
    (?P<instant>\d{{4}}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?\s?(?:Z\b|[+-]\d\d:?\d\d))
  | (?P<stamp>(?P<sy>\d{{4}})-(?P<sm>\d\d)-(?P<sd>\d\d)[T ](?P<clock>\d\d:\d\d(?::\d\d(?:\.\d+)?)?))
  | (?P<compact>(?<!\d)(?P<cy>(?:19|20|99)\d\d)(?P<cm>\d\d)(?P<cd>\d\d)(?!\d))
  | (?P<full>(?<![\d.])(?P<fy>(?:\d{{4}}|'\s*\d\d|(?<!\d)[1-5]\d(?=\s*[.년])))
      (?:\s*[.년]\s*(?P<fm>\d{{1,2}})\s*[.월]\s*{_DAY.format("f")}
        |\s*-\s*(?P<gm>\d{{1,2}})\s*-\s*(?P<gd>\d{{1,2}})(?!\d)
        |\s*/\s*(?P<hm>\d{{1,2}})\s*/\s*(?P<hd>\d{{1,2}})(?!\d)))
  | (?P<spread>(?:(?P<py>\d{{4}}
    |'?\s*\d\d)\s*년\s*)?(?<![\d.])(?P<pm>\d{{1,2}})\s*[~-]\s*(?P<pn>\d{{1,2}})\s*월(?!\s*\d))
  | (?P<slash>(?<![\d/])(?P<la>\d{{1,2}})(?P<lx>[/.])\s*(?P<lb>\d{{1,2}})(?P=lx)\s*(?P<ly>20\d\d)(?!\d))
  | (?P<month>(?<![\d.])(?P<my>\d{{4}}|'\s*\d\d|\d\d(?=\s*년))\s*(?:[.년]\s*(?P<mm>\d{{1,2}})(?!\d
    |\s*:)\s*(?:월(?!\s*\d)|\.|(?=\s*[~)]|$))
        |-(?P<nm>\d\d)(?!\d|-)))
  | (?P<day>(?<![\d./])(?P<dm>\d{{1,2}})\s*(?:월|[./])\s*{_DAY.format("d")})
  | (?P<dashed>(?<=[~-]\ )(?P<qm>[01]\d)-(?P<qd>[0-3]\d)(?![\d-])
      |(?<=~)(?P<rm>[01]\d)-(?P<rd>[0-3]\d)(?![\d-]))
  | (?P<md_en>\b(?P<em>{_EN})\s*(?P<ed>\d{{1,2}})(?!\d|\s*:){_SUFFIX}(?:,?\s*(?P<ey>20\d\d))?)
  | (?P<dm_en>\b(?P<ud>\d{{1,2}}){_SUFFIX}\s+(?:of\s+)?(?P<um>{_EN})(?:,?\s*(?P<uy>20\d\d))?)
  | (?P<my_en>\b(?P<xm>{_EN}),?\s+(?P<xy>20\d\d))
  | (?P<bare>(?<![\d.·,/])(?P<bm>\d{{1,2}})\s*월(?!\s*\d|\s*별|\s*요일))
  | (?P<midnight>자\s*정|midnight|밤\s*12\s*시)
  | (?P<time>(?P<half>오\s*전|오\s*후|낮|밤|저녁|새벽|아침)?\s*(?<![\d.])
      (?:(?P<th>\d{{1,2}})\s*(?:시(?!\s*간|작)\s*(?:(?P<tm>\d{{1,2}})\s*분|(?P<t30>반))?
        |:\s*(?P<tn>\d\d)(?P<ts>:\d\d(?:\.\d+)?)?)
        |(?P<hour>\d{{1,2}})(?=\s*[ap]\.?m\b)|정\s*오|\bnoon\b)(?:\s*(?P<ap>[ap])\.?m\b\.?)?)
  | (?P<duration>[(\[]?\s*(?:총|약)?\s*\d+\s*(?:일|주일?|개월|달|시간|년)\s*간(?:의
    |\s*접수)?\s*[)\]]?|\d+\s*박\s*\d+\s*일)
  | (?P<alone>(?<![\d.,])(?P<ad>\d{{1,2}})(?P<ax>\s*일(?!\s*간|\s*이내|\s*전|\s*후)|\.(?!\d)
    |{_SUFFIX})(?:,\s*(?P<ay>20\d\d))?
      (?!\d|\s*[:/월시회차명개인년주호층억만천%건팀社]|\s*분))
  | (?P<year>(?<!\d)(?P<yy>20\d\d)(?:\s*년(?:도)?)?(?!\d)|'\d\d년
    |(?<!\d)\d\d년(?:도)?(?!\s*(?:이내|미만|이상|이하|간|차)))
  | (?P<weekday>(?<=[(\s.\]일])[{_WEEKDAYS}](?:\s*요일|(?=\s*[),·/.\]]|\s+\d|\s*$|\s*~))|\b(?:mon
    |tue|wed|thu|fri|sat|sun)[a-z]{{0,6}}\b\.?)
  | (?P<zone>\(?\b(?:anywhere\ on\ earth|aoe|utc-12|gmt-12|utc\+0?9(?::00)?|gmt\+9|kst|utc|gmt
    |e[sd]t|p[sd]t|m[sd]t|cdt|cest?|bst|jst
      |sgt|hkt|et|pt|eastern|pacific|brussels)\b(?:\s+time)?\s*(?:\(utc-12\))?\)?|한국\s*시간)
  | (?P<notice>(?:사업\s*)?공\s*고\s*문?\s*(?:게시|시작|등록|개시)?\s*(?:일|즉시|후
    |시)(?!작)\s*\*?(?:\s*[(][^()]{{0,12}}[)])?\s*(?:로?\s*부터|이후)?)
  | (?P<planned>예정)
  | (?P<range>~+|\b(?:to|through|thru|until|till|by)\b)
  | (?P<start>부\s*터)
  | (?P<until>까\s*지|限|한(?=\s|$|[).,]))
  | (?P<dash>-)
  | (?P<word>[가-힣A-Za-z]+|\d+|\S)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SKIPPED = frozenset((*",.()[]*/ㆍ·", "at"))
_LATEST_SANE, _EARLIEST_SANE = 2089, 1990


class Token(Struct, frozen=True, kw_only=True):
    """A piece of a text and where it stands in it; `point` for what names a day or coarser."""

    kind: str
    text: str
    at: int
    to: int
    point: "Point | None" = None
    value: str = ""


class Point(Struct, frozen=True, kw_only=True):
    """A date as far as it is written. `clock` is `hh:mm`; `faults` say what is wrong with it."""

    year: int | None = None
    month: int | None = None
    day: int | None = None
    clock: str | None = None
    weekday: int | None = None
    zone: str | None = None
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def in_year(self, year: int) -> date | None:
        """Its first day in that year; null when the calendar has none."""
        try:
            return date(year, self.month or 1, self.day or 1)
        except ValueError:
            return None


class DateSpan(Struct, frozen=True, kw_only=True):
    """Dates that belong together, and the words around them.

    `shape` is range, until, since, single or hours; `notice` says that it runs from the day of the notice.
    """

    start: Point | None = None
    end: Point | None = None
    shape: str
    notice: bool = False
    at: int
    to: int


def tokens(text: str) -> list[Token]:
    """The pieces of a text of `period_words.plain`, in order; spaces lie between them."""
    day_first = _slash_order(text)
    return [_token(found, day_first) for found in _TOKEN.finditer(text)]


def _slash_order(text: str) -> bool | None:
    """Whether 03/04/2027 is the 3rd of April, where another date of the text shows it."""
    pairs = [(int(a), int(b)) for a, b in re.findall(r"(?<![\d/])(\d{1,2})[/.](\d{1,2})[/.]20\d\d", text)]
    if any(a > 12 for a, _ in pairs):
        return True
    return False if any(b > 12 for _, b in pairs) else None


def _token(found: re.Match[str], day_first: bool | None) -> Token:
    kind = found.lastgroup or "word"
    kind = next(name for name in _KINDS if found[name] is not None)
    point, value = None, ""
    if kind == "instant":
        kind, point = "date", _instant(found[0])
    elif kind in _DATED:
        numbers = [found[name] for name in _DATED[kind]]
        kind, point = "date", _dated(kind, numbers, found, day_first)
    elif kind == "alone":
        point = _checked(Point(day=int(found["ad"]), year=_number(found["ay"])))
        value = found["ax"].strip()
    elif kind == "time":
        value = _clock(found)
    elif kind == "weekday":
        name = found[0].lower()
        value = str(_WEEKDAYS.find(name[0]) if name[0] in _WEEKDAYS else _WEEKDAYS_EN.index(name[:3]))
    elif kind == "zone":
        name = re.sub(r"[()]|\s*time$", "", found[0].lower().partition("(utc")[0].strip()).strip()
        value = ZONES.get(name.removesuffix(" time"), ZONES.get(name.replace(" ", ""), ZONES["kst"]))
    elif kind == "dashed":
        kind = "date"
        point = _checked(Point(month=int(found["qm"] or found["rm"]), day=int(found["qd"] or found["rd"])))
    elif kind == "bare":
        kind, point = "date", _checked(Point(month=int(found["bm"])))
    elif kind == "spread":
        year = _number(found["py"])
        point = _checked(Point(year=year, month=int(found["pm"])))
        value = found["pn"]
    return Token(kind=kind, text=found[0], at=found.start(), to=found.end(), point=point, value=value)


_KINDS = (
    "instant", "stamp", "compact", "full", "spread", "slash", "month", "day", "dashed", "md_en", "dm_en",
    "my_en", "bare", "midnight", "time", "duration", "alone", "year", "weekday", "zone", "notice", "planned",
    "range", "start", "until", "dash", "word",
)  # fmt: skip
_DATED = {
    "stamp": ("sy", "sm", "sd"),
    "compact": ("cy", "cm", "cd"),
    "full": ("fy", "fm", "fd"),
    "slash": ("ly", "la", "lb"),
    "month": ("my", "mm", "mm"),
    "day": ("dm", "dm", "dd"),
    "md_en": ("ey", "em", "ed"),
    "dm_en": ("uy", "um", "ud"),
    "my_en": ("xy", "xm", "xm"),
}


def _dated(kind: str, numbers: list[str | None], found: re.Match[str], day_first: bool | None) -> Point:
    year, month, day = numbers
    if kind == "full":
        month, day = found["fm"] or found["gm"] or found["hm"], found["fd"] or found["gd"] or found["hd"]
    elif kind == "month":
        month, day = found["mm"] or found["nm"], None
    elif kind == "day":
        year = None
    elif kind == "my_en":
        day = None
    elif kind == "slash":
        ambiguous = day_first is None and month != day
        if day_first:
            month, day = day, month
        notes = ("us_order",) if day_first is False else ()
        zone = "America/New_York" if day_first is False else None
        point = Point(year=_number(year), month=_number(month), day=_number(day), notes=notes, zone=zone)
        return structs.replace(point, faults=("day_or_month",)) if ambiguous else _checked(point)
    point = Point(year=_number(year), month=_month(month), day=_number(day))
    if kind == "stamp" and not re.fullmatch(r"00:00:00(\.0+)?", found["clock"]):
        point = structs.replace(point, clock=found["clock"][:5])
    return _checked(point)


def _number(text: str | None) -> int | None:
    if not text:
        return None
    number = int(text.strip("' "))
    return number + 2000 if number < 100 and len(text.strip("' ")) == 2 and "'" in text else number


def _month(text: str | None) -> int | None:
    if not text:
        return None
    return int(text) if text.isdigit() else _MONTHS_EN.index(text[:3].lower()) + 1


def _instant(text: str) -> Point:
    """An instant with its offset is told in Seoul, where Dday's readers are."""
    try:
        at = datetime.fromisoformat(text.upper().replace(" ", "T", 1).replace(" ", ""))
    except ValueError:
        return Point(faults=("impossible",))
    return seoul(at)


def seoul(at: datetime) -> Point:
    """An instant as a point on the walls of Seoul."""
    wall = at.astimezone(ZoneInfo("Asia/Seoul"))
    return Point(year=wall.year, month=wall.month, day=wall.day, clock=f"{wall:%H:%M}", notes=("utc",))


def _checked(point: Point) -> Point:
    year = point.year
    if year is not None and 13 <= year < 60:
        point = structs.replace(point, year=year + 2000)
    elif year is not None and not _EARLIEST_SANE <= year <= _LATEST_SANE:
        return structs.replace(point, faults=("sentinel",))
    named = point.month is None or 1 <= point.month <= 12
    day = point.day is None or 1 <= point.day <= 31
    if not named or not day or (point.month and point.in_year(point.year or 2000) is None):
        return structs.replace(point, faults=("impossible",))
    return point


def _clock(found: re.Match[str]) -> str:
    """`hh:mm`, or a fault: what is written is either one time or none."""
    if re.fullmatch(r"\s*(?:정\s*오|noon)", found[0], re.IGNORECASE):
        return "12:00"
    hour = int(found["th"] or found["hour"] or 12)
    minute = 30 if found["t30"] else int(found["tm"] or found["tn"] or 0)
    half = re.sub(r"\s", "", found["half"] or "") or {"a": "오전", "p": "오후"}.get(
        (found["ap"] or "").lower(), ""
    )
    if half in ("오전", "새벽", "아침") and hour >= 12:
        return "midnight" if hour == 12 else "impossible"
    if half in ("오후", "낮", "저녁", "밤") and hour < 12:
        hour += 0 if half == "낮" and hour >= 9 else 12
    if found["ts"] and (hour, minute) == (0, 0):
        return ""
    if hour == 24 and minute == 0:
        return "24:00"
    return f"{time(hour, minute):%H:%M}" if hour < 24 and minute < 60 else "impossible"


def spans(found: list[Token]) -> list[DateSpan]:
    """The dates of a text, those that belong together as one."""
    at, spanned = 0, []
    while at < len(found):
        token = found[at]
        span, after = None, at + 1
        if token.kind in ("date", "spread"):
            span, after = _from_point(found, at)
        elif token.kind == "notice":
            span, after = _from_notice(found, at)
        elif token.kind == "range" and (end := _point(found, at + 1)):
            point, after = end
            span = DateSpan(end=point, shape="until", at=token.at, to=found[after - 1].to)
        if span is not None:
            spanned.append(span)
        at = after
    return spanned


def _from_point(found: list[Token], at: int) -> tuple[DateSpan | None, int]:
    token = found[at]
    if token.kind == "spread" and token.point is not None:
        end = _checked(Point(year=token.point.year, month=int(token.value), notes=("spread",)))
        return DateSpan(start=token.point, end=end, shape="range", at=token.at, to=token.to), at + 1
    first = _point(found, at)
    if first is None:
        return None, at + 1
    start, after = first
    joint = _skipped(found, after)
    if joint < len(found) and _is_joint(found, joint):
        return _to_second(found, token, start, joint)
    if joint < len(found) and found[joint].kind == "until":
        end, after = _late_clock(found, start, joint + 1)
        return DateSpan(end=end, shape="until", at=token.at, to=found[after - 1].to), after
    return DateSpan(start=start, shape="single", at=token.at, to=found[after - 1].to), after


def _to_second(found: list[Token], token: Token, start: Point, joint: int) -> tuple[DateSpan, int]:
    at = joint + 1
    while at < len(found) and (found[at].kind in ("range", "start") or found[at].text in _SKIPPED):
        at += 1
    if second := _point(found, at, after=start):
        end, after = _with_until(found, *second)
        return DateSpan(start=start, end=end, shape="range", at=token.at, to=found[after - 1].to), after
    if at < len(found) and found[at].kind == "time" and start.clock is not None:
        end = structs.replace(start, clock=found[at].value, weekday=None)
        return DateSpan(start=start, end=end, shape="hours", at=token.at, to=found[at].to), at + 1
    return DateSpan(start=start, shape="since", at=token.at, to=found[joint].to), joint + 1


def _from_notice(found: list[Token], at: int) -> tuple[DateSpan | None, int]:
    after = _skipped(found, at + 1)
    while after < len(found) and found[after].kind in ("range", "start", "dash", "until"):
        after = _skipped(found, after + 1)
    if second := _point(found, after):
        end, last = _with_until(found, *second)
        return DateSpan(end=end, shape="until", notice=True, at=found[at].at, to=found[last - 1].to), last
    return None, at + 1


def _is_joint(found: list[Token], at: int) -> bool:
    """A dash joins dates only where a date or a word of a rule follows."""
    if found[at].kind in ("range", "start") and found[at].text.lower() != "by":
        return True
    return (
        found[at].kind == "dash"
        and at + 1 < len(found)
        and found[at + 1].kind in ("date", "alone", "time", "word")
    )


def _skipped(found: list[Token], at: int) -> int:
    while at < len(found) and (found[at].text in _SKIPPED or found[at].kind == "duration"):
        at += 1
    return at


def _with_until(found: list[Token], point: Point, after: int) -> tuple[Point, int]:
    """The end of a range with an "until" behind it, if there is one."""
    until = _skipped(found, after)
    if until < len(found) and found[until].kind == "until":
        return _late_clock(found, point, until + 1)
    return point, after


def _late_clock(found: list[Token], point: Point, at: int) -> tuple[Point, int]:
    """A time that stands behind "until", as in `4.27.까지 14시`."""
    later = _skipped(found, at)
    if point.clock is None and later < len(found) and found[later].kind == "time":
        return structs.replace(point, clock=found[later].value or None), later + 1
    return point, at


def _point(found: list[Token], at: int, *, after: Point | None = None) -> tuple[Point, int] | None:
    """The date that starts here with what belongs to it, and where it is over."""
    lead = None
    at = _skipped(found, at) if after is None else at
    if at + 1 < len(found) and found[at].kind == "weekday":
        lead, at = int(found[at].value), _skipped(found, at + 1)
    if at >= len(found):
        return None
    token = found[at]
    is_day = token.kind == "alone" and after is not None and (after.day is not None)
    if token.point is None or token.kind not in ("date", "alone") or (token.kind == "alone" and not is_day):
        return None
    point, over = token.point, at + 1
    if lead is not None:
        point = structs.replace(point, weekday=lead)
    while (more := _skipped(found, over)) < len(found):
        added = _added(point, found[more])
        if added is None:
            break
        point, over = added, more + 1
    return point, over


def _added(point: Point, token: Token) -> Point | None:
    """The date with a weekday, a time or a zone behind it; null for what does not belong to it."""
    if token.kind == "weekday" and point.weekday is None:
        return structs.replace(point, weekday=int(token.value))
    if token.kind == "time" and point.clock is None and point.day is not None:
        note = ("seconds_dropped",) if token.text.count(":") == 2 else ()
        return structs.replace(point, clock=token.value or None, notes=point.notes + note)
    if token.kind == "midnight" and point.clock is None:
        return structs.replace(point, clock="midnight")
    if token.kind == "zone":
        return structs.replace(point, zone=token.value)
    if token.kind == "planned":
        return structs.replace(point, notes=(*point.notes, "planned"))
    return None
