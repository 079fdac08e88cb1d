"""Between claim and send: is it still right to send this, and which bytes."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import get_args

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection

from service.catalogue.event import Language
from service.reminders import replan
from service.reminders.looks import Look
from service.reminders.messages import formats
from service.reminders.plan import Dropped as Outlived
from service.reminders.plan import Notice
from service.reminders.replan import check
from service.reminders.subscribers import Subscriber, Subscribers
from service.reminders.webhook import Webhook
from service.store import event_history, events, revisions
from service.store.claims import Armed, Claimed
from service.store.revisions import Revision
from service.store.stored_event import Stored
from service.store.timestamps import millis

Page = Callable[[str, Language], str | None]
EXPIRES = frozenset(get_args(Outlived))
NOTICES = frozenset(get_args(Notice))
# Sent again with no bytes to repeat, these would tell of an event, which has to be there, and public. That it
# is gone may be told.
MADE_ANEW = NOTICES - {"event.deleted"} | {"event.reminder"}


class Outbound(Struct, frozen=True, kw_only=True):
    """A delivery that is to be sent. `began` is when its claim began, by the machine's running time."""

    claimed: Claimed
    subscriber: Subscriber
    body: bytes
    began: float
    look: Look | None = None

    @property
    def armed(self) -> Armed:
        """What is written down before it is sent."""
        fresh = self.body if self.claimed.body is None else None
        digest = sha256(self.body).hexdigest()
        return Armed(
            delivery=self.claimed.planned.id, fence=self.claimed.fence, body=fresh, body_sha256=digest
        )


class Dropped(Struct, frozen=True, kw_only=True):
    """A claimed delivery that is not to be sent after all."""

    claimed: Claimed
    state: str
    reason: str
    look: Look

    @property
    def key(self) -> tuple[str, int]:
        return self.claimed.planned.id, self.claimed.fence


class Prepared(Struct, frozen=True, kw_only=True):
    """What is to be sent, what is not, and what is not as long as its webhook is paused."""

    ready: tuple[Outbound, ...]
    dropped: tuple[Dropped, ...]
    paused: tuple[Claimed, ...]


class Sources(Struct, frozen=True, kw_only=True):
    """What bodies are made from, read at once for a whole batch. `head` is the newest revision there is."""

    head: int
    events: dict[str, Stored]
    log: dict[int, Revision]


def prepare(
    c: Connection,
    claimed: Sequence[Claimed],
    *,
    subscribers: Subscribers,
    page: Page,
    began: float,
    now: datetime,
) -> Prepared:
    """Look at every claimed delivery once more, and make the bodies of those that have none."""
    known = subscribers.load(c, (each.planned.webhook for each in claimed))
    sources = _read(c, claimed)
    look = partial(_one, c, sources=sources, page=page, began=began, now=now)
    made = [look(each, known.get(each.planned.webhook)) for each in claimed]
    return Prepared(
        ready=tuple(each for each in made if isinstance(each, Outbound)),
        dropped=tuple(each for each in made if isinstance(each, Dropped)),
        paused=tuple(each for each in made if isinstance(each, Claimed)),
    )


def _one(
    c: Connection,
    each: Claimed,
    subscriber: Subscriber | None,
    *,
    sources: Sources,
    page: Page,
    began: float,
    now: datetime,
) -> Outbound | Dropped | Claimed:
    look = _look(each, subscriber, sources)
    if subscriber is None:
        return _dropped(each, "withdrawn", look)
    if reason := _outdated(each, subscriber, sources, now=now):
        return _dropped(each, reason, look)
    if subscriber.webhook.state == "paused":
        return each
    if not subscriber.live(now):
        return Dropped(claimed=each, state="dead", reason="unsealable", look=look)
    body = each.body or _body(c, each, subscriber.webhook, sources, page=page, now=now)
    if body is None:
        return _dropped(each, "too_late", look)
    return Outbound(claimed=each, subscriber=subscriber, body=body, began=began, look=look)


def _look(each: Claimed, subscriber: Subscriber | None, sources: Sources) -> Look:
    planned = each.planned
    stored = sources.events.get(planned.event)
    return Look(
        delivery=planned.id,
        webhook=planned.webhook,
        version=None if subscriber is None else subscriber.version,
        head=sources.head,
        event=planned.event if _depends(each) else None,
        seq=None if stored is None else stored.seq,
    )


def _read(c: Connection, claimed: Sequence[Claimed]) -> Sources:
    concerned = {each.planned.event for each in claimed if _depends(each)}
    told = {each.planned.seq for each in claimed if _is_notice(each) and each.body is None}
    return Sources(
        head=revisions.head(c),
        events=events.get_many(c, sorted(concerned)),
        log=event_history.at(c, sorted(told)),
    )


def _depends(each: Claimed) -> bool:
    """Whether it is for the event as it is now to say if this is sent."""
    if each.replay:
        return each.body is None and each.planned.type in MADE_ANEW
    return each.planned.type == "event.reminder"


def _is_notice(each: Claimed) -> bool:
    return each.planned.type in NOTICES


def _dropped(each: Claimed, reason: str, look: Look) -> Dropped:
    state = "expired" if reason in EXPIRES else "superseded"
    return Dropped(claimed=each, state=state, reason=reason, look=look)


def _outdated(each: Claimed, subscriber: Subscriber, sources: Sources, *, now: datetime) -> str | None:
    """Why it must not be sent any more. What an operator sends again is sent, if there is anything to say."""
    planned, webhook = each.planned, subscriber.webhook
    stored = sources.events.get(planned.event)
    if each.replay:
        untold = _depends(each) and not is_told(stored)
        return "withdrawn" if untold or webhook.state == "disabled" else None
    same_event = stored is not None and stored.seq == planned.seq
    if same_event and webhook.state == "active" and millis(webhook.updated_at) <= each.created_at:
        return replan.overtaken(planned, now=now)
    candidate = None if stored is None else event_history.candidate(stored)
    return check(planned, candidate, webhook, now=now)


def is_told(stored: Stored | None) -> bool:
    """Whether a message may be made of this event: it is there, and for others to see."""
    return stored is not None and stored.event.visibility != "internal"


def _body(
    c: Connection, each: Claimed, webhook: Webhook, sources: Sources, *, page: Page, now: datetime
) -> bytes | None:
    planned = each.planned
    if _is_notice(each):
        return _notice(c, each, webhook, sources.log.get(planned.seq), page=page, now=now)
    stored = sources.events.get(planned.event)
    if stored is None:
        return None
    same = planned.revision == stored.revision
    current = planned if same else replace(planned, revision=stored.revision)
    return formats.reminder(
        current, webhook, event=stored.body(now), page=page(stored.id, webhook.lang), now=now
    )


def _notice(
    c: Connection, each: Claimed, webhook: Webhook, row: Revision | None, *, page: Page, now: datetime
) -> bytes | None:
    """None when the log no longer reaches back to the change."""
    told = each.planned.type
    document = None if row is None else event_history.document(c, row, gone=told == "event.deleted", now=now)
    if row is None or document is None:
        return None
    # What is new to those outside had nothing before, also where it was internal until now.
    before = {change.field: None if told == "event.created" else change.before for change in row.changes}
    change = formats.Change(changed=row.changed, previous=before)
    return formats.notice(
        each.planned, webhook, event=document, change=change, page=page(row.id, webhook.lang)
    )
