"""The moments of an event that a webhook can be reminded of, and when such a reminder is due.

- A moment is known to the minute or to the day. Anything coarser is never reminded; the reason says how
  coarse.
- Known to the minute: days count on the wall clock of the event's zone, hours exactly; due at D-1, same time.
- Known to the day only: an offset of days is due at the webhook's `remind_at` in the webhook's zone, on the
  date that many days earlier. Where zones differ so much that this day would already be over where the
  event is, it is due a day earlier: a D-1 reminder never arrives on the day itself. An offset with hours
  counts back from the first instant of the day where the event is, the earliest the moment can be.
- With a rule's `at` it is due at that time in the webhook's zone, on the date so many days before the day of
  the moment, whether that has a minute or not. 24:00 belongs to the day it ends. Due after the minute itself
  it is not planned.
- Where sources disagree about a date, the earliest of theirs counts, as in feeds and in `phase`.
- A wall time that a clock change skips or repeats is read as RFC 5545 3.3.5 says: the offset before the
  gap, the first of the two.
- A reminder is useful until its moment: the minute, or the start of the day. One due at the moment itself
  (`PT0S`) has an hour's grace; for a day, until that day is over.

Which events the planner has to look at is narrowed down in two steps: maybe too many, never too few. An
event's day, its zone and the webhook's zone can be days apart from the instant a reminder is due, so the
store is asked for a wide range (`anchor_ranges`). Then each distinct rule is computed once for an event,
however many webhooks share it (`due_between`).
"""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

from service.catalogue import dates, evidence
from service.catalogue.event import Event
from service.reminders.offsets import Offset
from service.reminders.webhook import Anchor, Rule, Webhook

GRACE = timedelta(hours=1)
# Zones are at most 26 hours apart, and a zone may leave out a whole day once (Apia, 2011-12-30).
DAYS_EARLIER = (0, 1, 2, 3)
TICK = timedelta(milliseconds=1)
# Near the ends of the calendar the arithmetic of offsets and zones would leave it.
YEARS = range(3, 9999)
# Zones lie 26 hours apart, a reminder may be moved some days ahead, and a day ends a day after it began.
SLACK = timedelta(days=4)

Untimed = Literal[
    "no_date",
    "month_precision",
    "year_precision",
    "decade_precision",
    "century_precision",
    "unknown_date",
    "out_of_range",
]
COARSE: dict[str, Untimed] = {
    "month": "month_precision",
    "year": "year_precision",
    "decade": "decade_precision",
    "century": "century_precision",
    "unknown": "unknown_date",
}


class Moment(Struct, frozen=True, kw_only=True, cache_hash=True):
    """A moment of an event: `at` is the earliest instant it can be, `over` when it has surely passed.

    `at` is part of a delivery's id; for a moment known to the day it is the first instant of that day.
    `written_day` is the day that sources write; of 24:00 it is the day that ends, and `day` the next.
    """

    anchor: Anchor
    at: datetime
    over: datetime
    day: date
    written_day: date
    clock: time | None
    zone: ZoneInfo


def anchors(event: Event) -> tuple[Anchor, ...]:
    """Returns the anchors of an event: windows open and close, everything else starts and ends."""
    return ("opens", "closes") if event.is_window else ("start", "end")


def moment(event: Event, anchor: Anchor) -> Moment | Untimed:
    """Returns the event's moment at this anchor, or why no reminder of it can be timed."""
    opening = anchor in ("start", "opens")
    text = evidence.earliest(event, "start" if opening else "end")
    return "no_date" if text is None else _moment(anchor, text, event.timezone, opening)


@lru_cache(maxsize=16_384)
def _moment(anchor: Anchor, text: str, zone_name: str, opening: bool) -> Moment | Untimed:
    edtf = dates.parse(text) if opening else dates.parse_end(text)
    coarse = COARSE.get(edtf.precision)
    if coarse is not None or edtf.first is None:
        return coarse or "unknown_date"
    if edtf.first.year not in YEARS:
        return "out_of_range"
    zone, clock = dates.zone(zone_name), edtf.minute
    day = _earlier(edtf.first, -1) if edtf.next_day else edtf.first
    at = dates.day_start(day, zone) if clock is None else dates.local_instant(day, clock, zone)
    over = dates.day_start(_earlier(day, -1), zone) if clock is None else at
    return Moment(anchor=anchor, at=at, over=over, day=day, written_day=edtf.first, clock=clock, zone=zone)


@lru_cache(maxsize=16_384)
def due(moment: Moment, rule: Rule, *, remind_at: str, timezone: str) -> datetime:
    """Returns the instant at which a webhook with this zone is due a reminder by this rule."""
    offset = rule.offset
    exact = timedelta(seconds=offset.seconds)
    if moment.clock is not None and rule.at is None:
        limit = moment.at + (TICK if offset.is_zero else exact)
        return _last(moment.day, offset.days, at=moment.clock, zone=moment.zone, before=limit) - exact
    if offset.seconds:
        return dates.day_start(_earlier(moment.day, offset.days), moment.zone) - exact
    hour, zone = time.fromisoformat(rule.at or remind_at), dates.zone(timezone)
    over = dates.day_start(_earlier(moment.written_day, offset.days - 1), moment.zone)
    return _last(moment.written_day, offset.days, at=hour, zone=zone, before=over)


def is_after_the_instant(moment: Moment, due_at: datetime) -> bool:
    """Whether a time of day comes when the minute of the moment has passed."""
    return moment.clock is not None and due_at > moment.at


def useful_until(moment: Moment, offset: Offset, *, due_at: datetime) -> datetime:
    """Returns the first instant at which a reminder would be too late."""
    if not offset.is_zero:
        return moment.at
    if moment.clock is None:
        return moment.over
    return moment.at if due_at < moment.at else moment.at + GRACE


class DueRule(Struct, frozen=True, kw_only=True):
    """A reminder rule with everything its due instant depends on."""

    rule: Rule
    remind_at: str
    timezone: str


class AnchorRange(Struct, frozen=True, kw_only=True):
    """A range of the start (`opening`) or the end of events in which the store looks them up."""

    opening: bool
    after: datetime
    until: datetime


def due_rules(webhook: Webhook) -> frozenset[DueRule]:
    return frozenset(
        DueRule(rule=rule, remind_at=webhook.remind_at, timezone=webhook.timezone)
        for rule in webhook.reminders
    )


def anchor_ranges(rules: Iterable[DueRule], *, after: datetime, until: datetime) -> tuple[AnchorRange, ...]:
    """Returns where the anchors of reminders due in `(after, until]` can lie, overlapping ranges joined."""
    wanted = sorted({_stretch(each.rule, after, until) for each in rules}, key=lambda s: (s.opening, s.after))
    joined: list[AnchorRange] = []
    for each in wanted:
        last = joined[-1] if joined else None
        if last is not None and last.opening == each.opening and each.after <= last.until:
            joined[-1] = AnchorRange(
                opening=each.opening, after=last.after, until=max(last.until, each.until)
            )
        else:
            joined.append(each)
    return tuple(joined)


def _stretch(rule: Rule, after: datetime, until: datetime) -> AnchorRange:
    offset = rule.offset
    opening = rule.anchor in ("start", "opens")
    ahead = timedelta(days=offset.days, seconds=offset.seconds)
    # Hours are exact, and count from the instant that the store has as the event's start.
    exact = opening and offset.days == 0 and offset.seconds > 0
    slack = timedelta(0) if exact else SLACK
    return AnchorRange(
        opening=opening, after=_shifted(after, ahead - slack), until=_shifted(until, ahead + slack)
    )


def due_between(
    events: Iterable[Event], due_rule: DueRule, *, after: datetime, until: datetime
) -> frozenset[str]:
    """Returns the ids of events for which this rule is due in `(after, until]`."""
    return frozenset(
        event.id
        for event in events
        if (at := _due_by_rule(event, due_rule)) is not None and after < at <= until
    )


def is_of_use(event: Event, due_rule: DueRule, *, until: datetime, since: datetime) -> bool:
    """Whether a change made at `since` can matter for this rule: due by `until`, and not over at `since`."""
    found, at = moment(event, due_rule.rule.anchor), _due_by_rule(event, due_rule)
    if not isinstance(found, Moment) or at is None or at > until:
        return False
    return useful_until(found, due_rule.rule.offset, due_at=at) > since


def _due_by_rule(event: Event, due_rule: DueRule) -> datetime | None:
    if due_rule.rule.anchor not in anchors(event):
        return None
    found = moment(event, due_rule.rule.anchor)
    if not isinstance(found, Moment):
        return None
    return due(found, due_rule.rule, remind_at=due_rule.remind_at, timezone=due_rule.timezone)


def _shifted(instant: datetime, by: timedelta) -> datetime:
    try:
        return instant + by
    except OverflowError:
        return instant


def _earlier(day: date, days: int) -> date:
    return day - timedelta(days=days)


def _last(day: date, days: int, *, at: time, zone: ZoneInfo, before: datetime) -> datetime:
    """Returns the instant of the wall time `at`, `days` days before `day`, earlier if not yet `before`."""
    tried = (dates.local_instant(_earlier(day, days + more), at, zone) for more in DAYS_EARLIER)
    return next(instant for instant in tried if instant < before)
