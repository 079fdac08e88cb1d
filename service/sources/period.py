"""What a source's words about a period mean: dates, a close rule, rounds, or a doubt; never a guess."""

import re
from datetime import date
from itertools import pairwise
from typing import Literal

from msgspec import Struct, structs

from service.catalogue.event import CloseRule
from service.sources import period_words as words
from service.sources.period_dates import DateSpan, Token, spans, tokens
from service.sources.period_parts import moved, rounds_of
from service.sources.period_years import PeriodReading, resolved

Verdict = Literal["read", "none", "doubt", "refuse", "rounds"]
MOST_QUOTED = 120
_REASONS = {
    "blank": "The form was left blank.",
    "cancelled": "The text speaks of a cancellation.",
    "clock": "Its time of day may mean two things.",
    "countdown": "It counts days from a day that it does not name.",
    "day_or_month": "Which number is the day and which the month cannot be known.",
    "impossible": "There is no such day or time.",
    "midnight": "Midnight may begin or end that day.",
    "next_year": "It names no year, and the next one is only likely.",
    "no_context": "It names no year, and the day of its notice is not known.",
    "no_year": "It names no year, and none fits the day of its notice.",
    "not_a_period": "It is a condition or a statement about something else.",
    "other": "Its dates are of something other than applications.",
    "relative": "It names a day by the day on which it was written.",
    "reversed": "It ends before it starts.",
    "round": "It names one round, and says that it is always open.",
    "sentinel": "Its date stands for no date at all.",
    "several": "It names several dates, and it is not certain which of them hold.",
    "vague": "It is a forecast rather than a period.",
    "weekday": "A weekday is not the one of its date.",
    "zone": "Its dates are in more than one time zone.",
}


class Round(Struct, frozen=True, kw_only=True):
    """One window of several, with the words that name it. `start` and `end` are EDTF or not known."""

    name: str
    start: str | None
    end: str | None


class Period(Struct, frozen=True, kw_only=True):
    """A period text as it was read.

    | verdict | what it says |
    |---|---|
    | read | `start` and `end` hold |
    | none | there is a rule and no date, as in "until used up" |
    | doubt | there are dates, for a person to look at |
    | refuse | nothing can be said |
    | rounds | there are several windows, in `rounds` |

    `close_rule` is null for what is no window. `previous` is what the text itself says held before. `reason`
    is a sentence; `quote` is an exact substring of the text, at most 120 characters of it.
    """

    verdict: Verdict
    start: str | None = None
    end: str | None = None
    close_rule: CloseRule | None = "unknown"
    timezone: str = "Asia/Seoul"
    previous: Round | None = None
    rounds: tuple[Round, ...] = ()
    flags: tuple[str, ...] = ()
    reason: str
    quote: str | None = None


def read_period(text: str, published: date | None, *, event: bool = False) -> Period:
    """How a period text is read. `published` is the day of its notice, `event` says that it is no call."""
    plain = words.plain(text)
    if not plain.strip(" .-~/()"):
        return Period(verdict="none", reason="The source gives no period.")
    if words.BLANK.search(plain):
        return _refused(text, "blank")
    current, former = moved(plain)
    pieces = rounds_of(current)
    read = [_reading(piece, published, event=event) for _, piece in pieces]
    for after, (former_one, latter) in enumerate(pairwise(read), start=1):
        if latter.faults == ("no_year",) or "year_from_context" in latter.notes or not former_one.end:
            read[after] = _in_row(pieces[after][1], former_one, latter, event=event)
    found = _joined(text, current, pieces, read)
    if former and found.verdict in ("read", "doubt"):
        found = _with_previous(found, former, published)
    return structs.replace(found, close_rule=None) if event and found.close_rule == "fixed" else found


def _has_year(span: DateSpan) -> bool:
    return any(point is not None and point.year is not None for point in (span.start, span.end))


def _in_row(piece: str, former: PeriodReading, latter: PeriodReading, *, event: bool) -> PeriodReading:
    """A round without a year is of the year of the one before it, where it then comes after that."""
    before = former.end or former.start
    if before is None or len(before) < 10:
        return latter
    again = _reading(piece, date.fromisoformat(before[:10]), event=event)
    return again if again.end and again.end[:4] == before[:4] else latter


def _reading(plain: str, published: date | None, *, event: bool) -> PeriodReading:
    """What one window says."""
    found = tokens(plain)
    spanned = spans(found)
    if words.RECURRING.search(plain) and all(not _has_year(span) for span in spanned):
        return PeriodReading(rule="recurring", quote=(0, len(plain)))
    if fault := _no_dates(plain, found, spanned):
        return PeriodReading(faults=(fault,))
    told = [(span, _role(plain, spanned, at)) for at, span in enumerate(spanned)]
    ours = [(span, role) for span, role in told if role != "other"]
    doubts: tuple[str, ...] = ()
    if spanned and not ours:
        ours, doubts = told[:1], ("other",)
    if any(role == "unknown" for _, role in ours) and len(ours) > 1:
        doubts = (*doubts, "several")
    readings = [resolved(_sided(span, role, event), published) for span, role in ours]
    if not readings:
        return PeriodReading(rule=_rule(plain, dated=False), quote=(0, len(plain)))
    one = _merged(readings)
    # What follows its dates may be vague, a cancellation, or words that name the day of writing.
    doubts = (*doubts, *_spoilt(plain, found, ours[0][0]))
    rule = _rule(plain, dated=one.end is not None, started=one.start is not None)
    if one.end is None and "vague" in (*doubts, *one.doubts):
        rule = "unknown"
    quote = (ours[0][0].at, max(span.to for span, _ in ours))
    return structs.replace(one, doubts=(*one.doubts, *doubts), rule=rule, quote=quote)


def _no_dates(plain: str, found: list[Token], spanned: list[DateSpan]) -> str | None:
    """Why nothing can be said, where the text names no date of its own."""
    conditions = [words.DATED_CONDITION.match(plain, span.to) for span in spanned]
    if spanned and all(conditions):
        return "not_a_period"
    if spanned:
        return None
    if words.COUNTDOWN.search(plain):
        return "countdown"
    if words.RELATIVE.search(plain):
        return "relative"
    if words.CONDITION.search(plain):
        return "not_a_period"
    known = words.RECURRING.search(plain) or _rule(plain, dated=False) != "unknown"
    plainly_unknown = words.RULES[-1][1].search(plain) or any(token.kind == "notice" for token in found)
    if any(token.kind in ("time", "alone", "midnight") for token in found) and not words.RECURRING.search(
        plain
    ):
        return "not_a_period" if not known else None
    if any(token.kind == "year" for token in found) and not known:
        return "vague_year"
    return None if known or plainly_unknown or words.CANCELLED.search(plain) else "not_a_period"


def _role(plain: str, spanned: list[DateSpan], at: int) -> str:
    """What dates are for, by the words before and behind them: period, end, start, other or unknown."""
    span = spanned[at]
    left = spanned[at - 1].to if at else 0
    right = spanned[at + 1].at if at + 1 < len(spanned) else len(plain)
    before = re.split(r"[※□○ㅇ◦◇■*\n;]|(?<=[)\]])\s*,|/", plain[left : span.at])[-1]
    behind = re.split(r"[※□○ㅇ◦◇■*\n;/]|,\s", plain[span.to : right])[0]
    if words.DATED_CONDITION.match(plain, span.to):
        return "other"
    if before.strip(" (:-"):
        if words.ENDS.search(before):
            return "end"
        label = words.PERIOD.search(before)
        if words.OTHER.search(before) and not label:
            return "other"
        if label:
            return "start" if words.BEGINS.search(before) else "period"
    if at and (words.OTHER.search(behind) and not words.PERIOD.search(behind[:8])):
        return "other"
    if span.shape == "single" and re.match(r"\s*[)]?\s*(?:접수\s*)?마감|\s*(?:접수\s*)?종료", behind):
        return "end"
    return "period" if not at else "unknown"


def _sided(span: DateSpan, role: str, event: bool) -> DateSpan:
    """A single date as the end where it is called so, or where a time stands by a call's only day."""
    if span.shape != "single" or span.start is None:
        return span
    timed = span.start.clock is not None and not event
    if role == "end" or (role != "start" and timed):
        return structs.replace(span, start=None, end=span.start, shape="until")
    return span


def _merged(readings: list[PeriodReading]) -> PeriodReading:
    """Several statements about one window: a start and an end, or the same with a finer time."""
    one = readings[0]
    for other in readings[1:]:
        sides = [(one.start, other.start), (one.end, other.end)]
        agree = all(a is None or b is None or a[:10] == b[:10] for a, b in sides)
        clocks = all(a is None or b is None or len(a) != len(b) or a == b for a, b in sides)
        start, end = (max(filter(None, pair), key=len, default=None) for pair in sides)
        reverse = start is not None and end is not None and end[:10] < start[:10]
        doubts = () if agree and clocks and not reverse else ("several",)
        one = structs.replace(
            one, start=start if agree else one.start, end=end if agree else one.end,
            zone=one.zone if one.zone != "Asia/Seoul" else other.zone,
            doubts=(*one.doubts, *other.doubts, *doubts),
            faults=(*one.faults, *other.faults), notes=(*one.notes, *other.notes),
        )  # fmt: skip
    return one


def _spoilt(plain: str, found: list[Token], span: DateSpan) -> list[str]:
    doubts = []
    if words.CANCELLED.search(plain):
        doubts.append("cancelled")
    if words.RELATIVE.search(plain):
        doubts.append("several")
    if words.VAGUE.match(plain, span.to) and not re.match(r"\s*예정", plain[span.to :]):
        doubts.append("vague")
    ended = span.end or span.start
    if (ended and ended.day is None and re.match(r"\s*예정", plain[span.to :])) or words.RECURRING.search(
        plain
    ):
        doubts.append("vague")
    rest = plain[span.to :]
    if re.match(r"\s*[,(]?\s*\d{1,2}:\d\d\s*[~-]", rest) or re.match(r"\s*[~-]\s*\d", rest):
        doubts.append("clock")
    if _unread_clock(plain, found, span):
        doubts.append("clock")
    if re.search(r"(?:제외|휴무)", plain) and len(spans(found)) > 1:
        doubts.append("several")
    return doubts


def _unread_clock(plain: str, found: list[Token], span: DateSpan) -> bool:
    """Whether a time of day stands behind the dates, in the same breath, and was not read."""
    breath = re.split(r"[※□○ㅇ◦◇■*\n;]", plain[span.to :])[0]
    over = span.to + len(breath)
    dated = [token.at for token in found if token.kind == "date" and token.at >= span.to]
    return any(
        token.kind in ("time", "midnight") and span.to <= token.at < min([over, *dated]) for token in found
    )


def _rule(plain: str, *, dated: bool, started: bool = False) -> CloseRule:
    if not dated and not started and words.RECURRING.search(plain):
        return "recurring"
    for rule, pattern in words.RULES:
        if pattern.search(plain) and (not dated or rule in ("until_exhausted", "first_come")):
            return rule
    return "fixed" if dated else "unknown"


def _joined(text: str, plain: str, pieces: list[tuple[str, str]], read: list[PeriodReading]) -> Period:
    """The verdict over all windows of a text."""
    if found := _undated(text, plain, read):
        return found
    one, faults = read[0], [fault for reading in read for fault in reading.faults]
    if faults:
        return _refused(text, faults[0], "rolling" if faults[0] == "sentinel" else "unknown")
    doubts = [doubt for reading in read for doubt in reading.doubts]
    rule = one.rule
    if words.ROUND.search(plain) and one.end and re.match(r"\s*(?:상시|수시|연중)", plain):
        doubts, rule = [*doubts, "round"], "rolling"
    rounds: tuple[Round, ...] = ()
    if len(read) > 1:
        rounds = tuple(
            Round(name=name, start=each.start, end=each.end)
            for (name, _), each in zip(pieces, read, strict=True)
        )
        rule = _rule(plain, dated=True)
    told = f"It has {len(rounds)} windows." if rounds else "Its dates are written out."
    verdict: Verdict = "doubt" if doubts else "rounds" if rounds else "read"
    return Period(
        verdict=verdict,
        start=None if rounds else one.start,
        end=None if rounds else one.end,
        close_rule=rule,
        timezone=one.zone,
        rounds=rounds,
        flags=tuple(dict.fromkeys((*doubts, *(note for each in read for note in each.notes)))),
        reason=_REASONS[doubts[0]] if doubts else told,
        quote=_quote(text, (min(each.quote[0] for each in read), max(each.quote[1] for each in read))),
    )


def _undated(text: str, plain: str, read: list[PeriodReading]) -> Period | None:
    """The verdict on a text that has no day of its own."""
    one, faults = read[0], [fault for reading in read for fault in reading.faults]
    without = len(read) == 1 and one.start is None and one.end is None
    halved = words.HALF.search(plain)
    if "vague_year" in faults or (without and halved and not faults):
        return _forecast(text, plain) if faults or one.rule == "unknown" else _named(text, one)
    coarse = all(span.start is None or span.start.day is None for span in spans(tokens(plain)))
    if len(read) == 1 and halved and coarse and words.ANNOUNCED.search(plain):
        return _named(text, structs.replace(one, rule="to_be_announced"))
    if not without or faults:
        return None
    named = _named(text, one)
    if words.CANCELLED.search(plain):
        return structs.replace(named, verdict="doubt", flags=("cancelled",), reason=_REASONS["cancelled"])
    return named


def _named(text: str, one: PeriodReading) -> Period:
    reason = (
        "It names no date, but a rule." if one.rule != "unknown" else "It names neither a date nor a rule."
    )
    return Period(verdict="none", close_rule=one.rule, reason=reason, quote=_quote(text, (0, len(text))))


def _forecast(text: str, plain: str) -> Period:
    """A year or a half of one: no window, but a year for a person to see."""
    years = re.findall(r"(?<!\d)(20\d\d)(?!\d)|'(\d\d)(?=\s*년)|(?<!\d)(\d\d)(?=\s*년)", plain)
    written = {full or f"20{short or bare}" for full, short, bare in years}
    start = written.pop() if len(written) == 1 else None
    return Period(
        verdict="doubt",
        start=start,
        flags=("vague",),
        reason=_REASONS["vague"],
        quote=_quote(text, (0, len(text))),
    )


def _refused(text: str, fault: str, rule: CloseRule = "unknown") -> Period:
    return Period(
        verdict="refuse",
        close_rule=rule,
        flags=(fault,),
        reason=_REASONS[fault],
        quote=_quote(text, (0, len(text))),
    )


def _with_previous(found: Period, former: str, published: date | None) -> Period:
    anchor = found.end or found.start
    if published is None and anchor and len(anchor) >= 10:
        published = date.fromisoformat(anchor[:10])
    old = spans(tokens(former))
    before = resolved(old[0], published, near=anchor) if old else PeriodReading()
    if before.faults or before.doubts or (before.start is None and before.end is None):
        return found
    start, end = (None, before.start) if old[0].shape == "single" else (before.start, before.end)
    if found.start is not None and found.end is None and old[0].shape == "single":
        found = structs.replace(found, start=None, end=found.start, close_rule="fixed")
    return structs.replace(
        found, previous=Round(name="", start=start, end=end), flags=(*found.flags, "changed")
    )


def _quote(text: str, where: tuple[int, int]) -> str | None:
    """The part of the text that was read, or the whole where it is short enough."""
    whole = text.strip()
    if len(whole) <= MOST_QUOTED:
        return whole or None
    return text[where[0] : min(where[1], where[0] + MOST_QUOTED)].strip() or whole[:MOST_QUOTED]
