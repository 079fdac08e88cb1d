"""What should have been sent: an independent, slow reading of docs/api.md over one whole history.

It shares nothing with the service: standard library only, wall clocks by trying instants, no look-ahead, no
cursors, no stored rows. Times are aware UTC datetimes, dates and offsets are texts.

A reminder may be sent at a wake-up `now` when, by the world as it is then, it is due (`due <= now`), of use
(`now < over`) and nobody sent or gave it up before, and when one of these holds:
- it was asked for at the instant it was due (the event as it was then, by the rules as they are now, which
  had been set before); or
- the webhook wants what is already past `send_now`, and it came to be asked for only after it was due; or
- it was so at an earlier wake-up and waits only because the webhook is paused.
What was due at or before a resume that skips is never sent any more.
A reminder that is more than a minute late is given up if a tighter one of the same moment is due as well.
"""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Gathering:
    """An event as far as reminders care."""

    window: bool
    start: str | None
    end: str | None
    zone: str
    status: str = "scheduled"
    public: bool = True
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Hook:
    rules: tuple[tuple[str, str], ...]
    zone: str
    remind_at: time
    late: str
    resume: str
    tag: str | None
    since: datetime
    paused: bool = False


@dataclass
class History:
    """Versions of events (None is absence) and what happens to hooks, each at its instant.

    And the wake-ups.
    """

    events: dict[str, list[tuple[datetime, Gathering | None]]]
    hooks: dict[str, list[tuple[datetime, Hook]]]
    wakes: list[datetime]


@dataclass(frozen=True, order=True)
class Sent:
    at: datetime
    id: str


@dataclass
class _Book:
    """Per hook: what is final, and what was asked for and still waits."""

    final: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)
    looked: datetime | None = None
    skipped: datetime | None = None


@dataclass(frozen=True)
class _Ask:
    id: str
    anchor: str
    due: datetime
    over: datetime


def sends(history: History) -> list[Sent]:
    """Every send of the history, in order."""
    sent: list[Sent] = []
    for name, versions in history.hooks.items():
        sent += _sends_of(name, versions, history)
    return sorted(sent)


def _sends_of(name: str, versions: list[tuple[datetime, Hook]], history: History) -> list[Sent]:
    book, sent = _Book(), []
    # The planner looks at everything whenever anybody changes a hook; only a wake-up sends.
    others = {at for changes in history.hooks.values() for at, _ in changes} - {at for at, _ in versions}
    moments = [(at, 0) for at, _ in versions] + [(at, 1) for at in others]
    moments += [(at, 2) for at in history.wakes]
    hook: Hook | None = None
    for at, kind in sorted(moments):
        if kind == 0:
            new = next(version for when, version in versions if when == at)
            if hook is not None:
                _look(name, hook, book, history, at)
                if hook.paused and not new.paused and new.resume == "skip":
                    book.skipped = at
                asked = _asked(name, new, history, at)
                book.waiting &= {ask.id for ask in asked if not _skipped(ask, book)}
            hook = new
            if hook.late == "send_now" and hook.since == at:
                _take_past(name, hook, book, history, at)
            book.looked = at
        elif hook is not None:
            _look(name, hook, book, history, at)
            if kind == 2:
                sent += _send(name, hook, book, history, at)
    return sent


def _asked(name: str, hook: Hook, history: History, at: datetime) -> list[_Ask]:
    """What the world of this instant asks for, whenever it is due."""
    return [
        ask for event in history.events for ask in _asks_of(name, hook, event, _as_of(history, event, at))
    ]


def _look(name: str, hook: Hook, book: _Book, history: History, now: datetime) -> None:
    """Take what came due since the last look, drop what is asked for no more."""
    looked = book.looked
    assert looked is not None
    standing = {ask.id for ask in _asked(name, hook, history, now)}
    book.waiting &= standing
    for event in history.events:
        current = _asks_of(name, hook, event, _as_of(history, event, now))
        for ask in current:
            if ask.due > now or ask.id in book.final | book.waiting or _skipped(ask, book):
                continue
            was = _as_of(history, event, max(ask.due, looked), before=ask.due > looked)
            then = any((a.id, a.due) == (ask.id, ask.due) for a in _asks_of(name, hook, event, was))
            in_time = then and ask.due > looked and ask.due > hook.since
            if in_time or (hook.late == "send_now" and not then):
                _open(ask, current, book, now)
    book.looked = now


def _skipped(ask: _Ask, book: _Book) -> bool:
    return book.skipped is not None and ask.due <= book.skipped


def _take_past(name: str, hook: Hook, book: _Book, history: History, now: datetime) -> None:
    for event in history.events:
        current = _asks_of(name, hook, event, _as_of(history, event, now))
        for ask in current:
            if ask.due <= now and ask.id not in book.final | book.waiting and not _skipped(ask, book):
                _open(ask, current, book, now)


def _open(ask: _Ask, siblings: list[_Ask], book: _Book, now: datetime) -> None:
    (book.final if _overtaken(ask, siblings, now) else book.waiting).add(ask.id)


def _send(name: str, hook: Hook, book: _Book, history: History, now: datetime) -> list[Sent]:
    if hook.paused:
        return []
    sent = []
    for event in history.events:
        siblings = _asks_of(name, hook, event, _as_of(history, event, now))
        for ask in siblings:
            if ask.id in book.waiting and ask.due <= now:
                book.waiting.discard(ask.id)
                book.final.add(ask.id)
                if not _overtaken(ask, siblings, now):
                    sent.append(Sent(at=now, id=ask.id))
    return sent


def _overtaken(ask: _Ask, siblings: list[_Ask], now: datetime) -> bool:
    if now >= ask.over:
        return True
    tighter = any(s.anchor == ask.anchor and ask.due < s.due <= now for s in siblings)
    return tighter and now - ask.due > MINUTE


def _as_of(history: History, event: str, at: datetime, *, before: bool = False) -> Gathering | None:
    """The version in force at an instant; a change of that very instant counts unless `before`."""
    current = None
    for when, version in history.events[event]:
        if when < at or (when == at and not before):
            current = version
    return current


@cache
def _asks_of(name: str, hook: Hook, event: str, was: Gathering | None) -> list[_Ask]:
    if was is None or not was.public or was.status in ("cancelled", "postponed"):
        return []
    if hook.tag is not None and hook.tag not in was.tags:
        return []
    asks: list[_Ask] = []
    for anchor, before in hook.rules:
        text = was.start if anchor in ("start", "opens") else was.end
        if (anchor in ("opens", "closes")) != was.window or text is None:
            continue
        found = _when(text, was.zone, before, hook)
        if found is None:
            continue
        at, due, over = found
        if any(a.anchor == anchor and a.due == due for a in asks):
            continue
        parts = ["v2", name, event, anchor, int(at.timestamp()), _canonical(before)]
        asks.append(_Ask(id=_hash(_near(at, before), parts), anchor=anchor, due=due, over=over))
    return asks


def _when(text: str, zone: str, before: str, hook: Hook) -> tuple[datetime, datetime, datetime] | None:
    """The moment, when its reminder is due, and when that is too late. None if the day is not known."""
    days, seconds = _offset(before)
    exact = timedelta(seconds=seconds)
    text = text.rstrip("?~%")
    if "X" in text or len(text) < 10:
        return None
    day = date.fromisoformat(text[:10])
    if len(text) > 10:
        if text.endswith("T24:00"):
            day, text = day + DAY, "2000-01-01T00:00"
        clock = time.fromisoformat(text[11:])
        at = instant(day, clock, zone)
        if days == 0:
            due = at - exact
        else:
            due = max(w for w in _walls(day, days, clock, zone) if w - exact < at) - exact
        return at, due, at + HOUR if (days, seconds) == (0, 0) else at
    at, over = dawn(day, zone), dawn(day + DAY, zone)
    if seconds:
        due = dawn(day - days * DAY, zone) - exact
    else:
        end = dawn(day - (days - 1) * DAY, zone)
        due = max(w for w in _walls(day, days, hook.remind_at, hook.zone) if w < end)
    return at, due, over if (days, seconds) == (0, 0) else at


def _walls(day: date, days: int, clock: time, zone: str) -> list[datetime]:
    """That time of day, that many days before or up to six more."""
    return [instant(day - (days + more) * DAY, clock, zone) for more in range(7)]


@cache
def instant(day: date, clock: time, zone: str) -> datetime:
    """RFC 5545 3.3.5 by search: the first instant that shows this wall time; if none does, the wall time read
    with the offset that was in force before the clocks jumped over it."""
    wall = datetime.combine(day, clock)
    tz = ZoneInfo(zone)
    guess = wall.replace(tzinfo=UTC)
    guess -= tz.utcoffset(guess.astimezone(tz)) or timedelta()  # clocks jump by less than the search is wide
    before, step, end = None, guess - 3 * HOUR, guess + 3 * HOUR
    while step <= end:
        local = step.astimezone(tz).replace(tzinfo=None)
        if local == wall:
            return step
        if local > wall and before is not None:  # the clocks have jumped over it
            return (wall - before).replace(tzinfo=UTC)
        if local < wall:
            before = local - step.replace(tzinfo=None)
        step += MINUTE if abs(local - wall) <= 2 * QUARTER else QUARTER
    raise AssertionError(f"{wall} in {zone} lies outside the search")


@cache
def dawn(day: date, zone: str) -> datetime:
    """The first instant at which the zone's calendar shows this day or a later one."""
    tz = ZoneInfo(zone)
    step = datetime.combine(day, time(0), tzinfo=UTC) - 16 * HOUR
    while step.astimezone(tz).date() < day:
        step += QUARTER
    return step


@cache
def _offset(text: str) -> tuple[int, int]:
    """Days and exact seconds of P..W..DT..H..M..S, read character by character."""
    days = seconds = 0
    number, in_time = "", False
    for char in text[1:]:
        if char == "T":
            in_time = True
        elif char.isdigit():
            number += char
        else:
            count, number = int(number), ""
            if in_time:
                seconds += count * {"H": 3600, "M": 60, "S": 1}[char]
            else:
                days += count * {"W": 7, "D": 1}[char]
    return days, seconds


@cache
def _canonical(text: str) -> str:
    days, seconds = _offset(text)
    hours, minutes, rest = seconds // 3600, seconds // 60 % 60, seconds % 60
    exact = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "") + (f"{rest}S" if rest else "")
    return "P" + (f"{days}D" if days else "") + ("T" + exact if exact else "") if days or seconds else "PT0S"


def _near(at: datetime, before: str) -> int:
    days, seconds = _offset(before)
    return int(at.timestamp()) - 86_400 * days - seconds


def _hash(near: int, parts: list[object]) -> str:
    """Eight characters of seconds, so that names sort by time, and twenty-four that tell them apart."""
    digits = "0123456789abcdefghijklmnopqrstuv"
    first = "".join(digits[near >> 5 * place & 31] for place in reversed(range(8)))
    digest = hashlib.sha256(json.dumps(parts, separators=(",", ":"), ensure_ascii=False).encode()).digest()
    rest = int.from_bytes(digest[:15])
    return "dlv_" + first + "".join(digits[rest >> 5 * place & 31] for place in reversed(range(24)))
