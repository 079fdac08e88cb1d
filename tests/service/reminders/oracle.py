"""What should have been sent: an independent, slow reading of docs/api.md over one whole history.

It shares nothing with the service: standard library only, wall clocks by trying instants, no look-ahead, no
cursors, no stored rows. Times are aware UTC datetimes, dates and offsets are texts.

At a wake-up everything that happened since the one before is looked at:
- a reminder came due if, at the instant it was due, the event and the webhook as they then were asked for it;
- or the webhook wants what is already past `send_now`, and it came to be asked for only after it was due;
- a change of an event is told if the webhook, as it then was, asked for changes of its kind, or for the
  status of being off that it ends;
What came due waits until it is sent, is asked for no more, or is over; while a webhook is paused it goes on
waiting. What was due at or before a resume that skips is never sent. While a webhook is disabled nobody
looks; switched on again to catch up, it is as if it had asked for the same all the while.
A reminder that is more than a minute late is given up if a tighter one of the same moment is due as well.
"""

import hashlib
import itertools
import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
NEVER = datetime.min.replace(tzinfo=UTC)
# Enough for one history, whose questions come again and again; the next asks others.
MANY = 4096


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
    changes: tuple[str, ...] = ()
    state: str = "active"

    @property
    def wishes(self) -> tuple[object, ...]:
        """What begins anew when it is changed."""
        return self.rules, self.zone, self.remind_at, self.late, self.tag, self.changes


@dataclass
class History:
    """Versions of events (None is absence) and what happens to hooks, each at its instant.

    And the wake-ups. Of what happens at one instant events come first, then hooks, then the wake-up.
    """

    events: dict[str, list[tuple[datetime, Gathering | None]]]
    hooks: dict[str, list[tuple[datetime, Hook]]]
    wakes: list[datetime]

    @property
    def switched_off(self) -> set[datetime]:
        """When a sender disabled a webhook: the planner has just looked."""
        return {
            at
            for versions in self.hooks.values()
            for (_, old), (at, new) in itertools.pairwise(versions)
            if new.state == "disabled" != old.state
        }


@dataclass(frozen=True, order=True)
class Sent:
    at: datetime
    id: str


@dataclass
class _Book:
    """Per hook: what is final, and what was asked for and still waits."""

    final: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)
    notices: dict[str, datetime] = field(default_factory=dict)
    looked: datetime = NEVER
    known: int = 0  # versions of the hook at that look


@dataclass(frozen=True)
class Ask:
    id: str
    anchor: str
    due: datetime
    over: datetime


def sends(history: History) -> list[Sent]:
    """Every send of the history, in order."""
    return sorted(each for name in history.hooks for each in _Reader(name, history).sends())


class _Reader:
    """One hook's way through a history."""

    def __init__(self, name: str, history: History) -> None:
        self.name, self.history, self.versions = name, history, history.hooks[name]
        self.book = _Book()

    def sends(self) -> list[Sent]:
        sent: list[Sent] = []
        looks = {(at, False) for at in self.history.switched_off}
        for now, sending in sorted(looks | {(at, True) for at in self.history.wakes}):
            known = sum(at < now or (at == now and sending) for at, _ in self.versions)
            hook = self.versions[known - 1][1] if known else None
            if hook is None or hook.state == "disabled":
                continue
            self.look(hook, now, known=known)
            if sending and hook.state == "active":
                sent += self.send(hook, now)
        return sent

    def in_force(self, at: datetime, *, before: bool = False) -> Hook | None:
        current = None
        for when, version in self.versions:
            if when < at or (when == at and not before):
                current = version
        return current

    def heard(self, at: datetime, now: datetime) -> Hook | None:
        """The hook that was in force just before this instant changed it, as seen from now.

        While it was disabled it asked for what it wanted when it was switched on again, if that was to catch
        up and its wishes had stayed the same.
        """
        then = self.in_force(at, before=True)
        if then is None or then.state != "disabled":
            return then
        for when, version in self.versions:
            if at <= when <= now:
                if version.wishes != then.wishes:
                    return None
                if version.state != "disabled":
                    return version if version.resume == "catch_up" or version.state == "paused" else None
        return None

    def skipped(self, now: datetime) -> datetime | None:
        """The last resume that skips."""
        last = None
        for (_, old), (at, new) in zip(self.versions, self.versions[1:], strict=False):
            if at <= now and old.state != "active" and new.state == "active" and new.resume == "skip":
                last = at
        return last

    def asks(self, hook: Hook, event: str, was: Gathering | None) -> list[Ask]:
        return asked(self.name, hook, event, was)

    def look(self, hook: Hook, now: datetime, *, known: int) -> None:
        """Take what came due since the last look, drop what is asked for no more."""
        book, skipped = self.book, self.skipped(now)
        current = {event: self.asks(hook, event, _as_of(self.history, event, now)) for event in self.events}
        standing = {
            ask.id for asks in current.values() for ask in asks if skipped is None or ask.due > skipped
        }
        book.waiting &= standing
        for event, asks in current.items():
            old = book.final | book.waiting
            news = [ask for ask in asks if ask.due <= now and ask.id in standing and ask.id not in old]
            came = self.came_due(event, now) if news else set()
            for ask in news:
                if ask.id in came or (hook.late == "send_now" and self.wanted_late(hook, event, ask, known)):
                    (book.final if _overtaken(ask, asks, now) else book.waiting).add(ask.id)
        self.listen(now)
        book.looked, book.known = now, known

    @property
    def events(self) -> list[str]:
        return list(self.history.events)

    def came_due(self, event: str, now: datetime) -> set[str]:
        """What came due since the last look, by what was in force in each stretch without a change."""
        turns = {at for at, _ in self.history.events[event]} | {at for at, _ in self.versions}
        edges = [self.book.looked, *sorted(at for at in turns if self.book.looked < at < now), now]
        came: set[str] = set()
        for begin, end in itertools.pairwise(edges):
            hook = self.heard(end, now)
            if hook is not None:
                asks = self.asks(hook, event, _as_of(self.history, event, end, before=True))
                came |= {ask.id for ask in asks if begin < ask.due <= end}
        return came

    def wanted_late(self, hook: Hook, event: str, ask: Ask, known: int) -> bool:
        """Whether it came to be asked for since the last look, too late: it did not come due."""
        # Also where it was asked for at that look as well, and only not when it was due.
        if self.book.known == 0 or ask.due > self.book.looked:
            return True
        since = [version for _, version in self.versions[self.book.known - 1 : known]]
        if any(
            old.wishes != new.wishes
            or old.state == "disabled"
            or (old.state, new.state, new.resume) == ("paused", "active", "skip")
            for old, new in itertools.pairwise(since)
        ):
            return True
        before = self.asks(hook, event, _as_of(self.history, event, self.book.looked))
        return not any((each.id, each.due) == (ask.id, ask.due) for each in before)

    def listen(self, now: datetime) -> None:
        """Take the changes of events since the last look."""
        for event, versions in self.history.events.items():
            before, number = None, 0
            for at, after in versions:
                if after == before:
                    continue
                number += 1
                if self.book.looked < at <= now and (hook := self.heard(at, now)) is not None:
                    kind = _kind(before, after, hook)
                    if kind is not None:
                        name = f"{self.name} event.{kind} {event} {number}"
                        self.book.notices.setdefault(name, at)
                before = after

    def send(self, hook: Hook, now: datetime) -> list[Sent]:
        book, skipped = self.book, self.skipped(now)
        sent = []
        for event in self.events:
            siblings = self.asks(hook, event, _as_of(self.history, event, now))
            for ask in siblings:
                if ask.id in book.waiting and ask.due <= now:
                    book.waiting.discard(ask.id)
                    book.final.add(ask.id)
                    if not _overtaken(ask, siblings, now):
                        sent.append(Sent(at=now, id=ask.id))
        for name, at in book.notices.items():
            if name not in book.final:
                book.final.add(name)
                if now < at + 3 * DAY and (skipped is None or at > skipped):
                    sent.append(Sent(at=now, id=name))
        return sent


def _kind(before: Gathering | None, after: Gathering | None, hook: Hook) -> str | None:
    """What this change is to this hook: the most telling of the names it asked for."""
    if hook.tag is not None and not any(
        hook.tag in side.tags for side in (before, after) if side is not None
    ):
        return None
    was = before if before is not None and before.public else None
    now = after if after is not None and after.public else None
    names: list[str] = []
    if was is None or now is None:
        names = ["created"] if now is not None else ["deleted"] if was is not None else []
    else:
        if now.status in ("cancelled", "postponed") and now.status != was.status:
            names.append(now.status)
        if (now.start, now.end, now.zone) != (was.start, was.end, was.zone):
            names.append("rescheduled")
        names.append("updated")
    asked = next((name for name in names if name in hook.changes), None)
    if asked is None and was is not None and was.public and now is not None and now.public:
        # Whoever asked to be told that it is off is told of what it is then.
        over = was.status in ("cancelled", "postponed") and was.status != now.status
        return names[0] if over and was.status in hook.changes and names else None
    return asked


def _overtaken(ask: Ask, siblings: list[Ask], now: datetime) -> bool:
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


def asked(name: str, hook: Hook, event: str, was: Gathering | None) -> list[Ask]:
    """The reminders a hook of this name asks for while an event is so, whatever the state of the hook."""
    return _asks_of(name, hook.rules, hook.zone, hook.remind_at, hook.tag, event, was)


@lru_cache(maxsize=MANY)
def _asks_of(
    name: str,
    rules: tuple[tuple[str, str], ...],
    zone: str,
    remind_at: time,
    tag: str | None,
    event: str,
    was: Gathering | None,
) -> list[Ask]:
    if was is None or not was.public or was.status in ("cancelled", "postponed"):
        return []
    if tag is not None and tag not in was.tags:
        return []
    asks: list[Ask] = []
    for anchor, rule in rules:
        before, _, at_hour = rule.partition("@")
        text = was.start if anchor in ("start", "opens") else was.end
        if (anchor in ("opens", "closes")) != was.window or text is None:
            continue
        hour = time.fromisoformat(at_hour) if at_hour else None
        found = _when(text, was.zone, before, hour, (remind_at, zone))
        if found is None:
            continue
        at, due, over = found
        if any(a.anchor == anchor and a.due == due for a in asks):
            continue
        parts = ("v2", name, event, anchor, int(at.timestamp()), _canonical(before))
        parts += (at_hour,) if at_hour else ()
        asks.append(Ask(id=_hash(_near(at, before), parts), anchor=anchor, due=due, over=over))
    return asks


@lru_cache(maxsize=MANY)
def _when(
    text: str, zone: str, before: str, at_hour: time | None, hour: tuple[time, str]
) -> tuple[datetime, datetime, datetime] | None:
    """The moment, when its reminder is due, and when that is too late. None if the day is not known."""
    days, seconds = _offset(before)
    exact = timedelta(seconds=seconds)
    text = text.rstrip("?~%")
    if "X" in text or len(text) < 10:
        return None
    day = written = date.fromisoformat(text[:10])
    if len(text) > 10:
        if text.endswith("T24:00"):
            day, text = day + DAY, "2000-01-01T00:00"
        clock = time.fromisoformat(text[11:])
        at = instant(day, clock, zone)
        if at_hour is not None:
            due = _of_the_day(written, days, zone, at_hour, hour[1])
            return None if due > at else (at, due, at + HOUR if due == at else at)
        if days == 0:
            due = at - exact
        else:
            due = max(w for w in _walls(day, days, clock, zone) if w - exact < at) - exact
        return at, due, at + HOUR if (days, seconds) == (0, 0) else at
    at, over = dawn(day, zone), dawn(day + DAY, zone)
    if seconds:
        due = dawn(day - days * DAY, zone) - exact
    else:
        due = _of_the_day(day, days, zone, at_hour or hour[0], hour[1])
    return at, due, over if (days, seconds) == (0, 0) else at


def _of_the_day(day: date, days: int, zone: str, hour: time, subscriber: str) -> datetime:
    """That hour for the subscriber, on the day that many days before; earlier if that day is over by then."""
    end = dawn(day - (days - 1) * DAY, zone)
    return max(w for w in _walls(day, days, hour, subscriber) if w < end)


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
        step += QUARTER  # by whole ones these zones differ, and their clocks jump
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
    if not (days or seconds):
        return "PT0S" if "T" in text else "P0D"
    return "P" + (f"{days}D" if days else "") + ("T" + exact if exact else "")


def _near(at: datetime, before: str) -> int:
    days, seconds = _offset(before)
    return int(at.timestamp()) - 86_400 * days - seconds


@lru_cache(maxsize=MANY)
def _hash(near: int, parts: tuple[object, ...]) -> str:
    """Eight characters of seconds, so that names sort by time, and twenty-four that tell them apart."""
    digits = "0123456789abcdefghijklmnopqrstuv"
    first = "".join(digits[near >> 5 * place & 31] for place in reversed(range(8)))
    digest = hashlib.sha256(json.dumps(parts, separators=(",", ":"), ensure_ascii=False).encode()).digest()
    rest = int.from_bytes(digest[:15])
    return "dlv_" + first + "".join(digits[rest >> 5 * place & 31] for place in reversed(range(24)))
