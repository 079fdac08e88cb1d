"""Between claim and send: is it still right to send this, and which bytes."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import get_args

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection

from service.catalogue.event import Language
from service.reminders import replan
from service.reminders.messages import formats
from service.reminders.plan import Dropped as Outlived
from service.reminders.plan import Notice
from service.reminders.replan import check
from service.reminders.signing import SigningKey, Unsealable, unseal
from service.reminders.webhook import Webhook
from service.store import event_history, events, revisions, webhook_secrets, webhooks
from service.store.claims import Armed, Claimed
from service.store.revisions import Revision
from service.store.stored_event import Stored
from service.store.timestamps import millis
from service.store.webhook_secrets import Secret

Page = Callable[[str, Language], str | None]
EXPIRES = frozenset(get_args(Outlived))
NOTICES = frozenset(get_args(Notice))
# Sent again with no bytes to repeat, these would tell of an event, which has to be there, and public. That it
# is gone may be told.
MADE_ANEW = NOTICES - {"event.deleted"} | {"event.reminder"}


# FOLDED service/reminders/looks.py: A look at a claimed delivery says what is to become of it, while what it depends on has not changed.
class Look(Struct, frozen=True, kw_only=True):
    """What was seen: the version of the webhook (None: it is gone), the newest revision of the catalogue.

    `event` is None where it does not matter how the event is now, else `seq` is its revision (None: gone).
    """

    delivery: str
    webhook: str
    version: int | None
    head: int
    event: str | None
    seq: int | None


def outdated(c: Connection, looks: Sequence[Look]) -> frozenset[str]:
    """The deliveries whose webhook or event is no longer what was seen.

    Asked in the transaction that acts on a look, which may have waited for its turn.
    """
    if not looks:
        return frozenset()
    versions = webhooks.versions(c, sorted({look.webhook for look in looks}))
    head = revisions.head(c)
    moved = {look.event for look in looks if look.event is not None and look.head != head}
    seqs = events.seqs(c, sorted(moved))
    return frozenset(
        look.delivery
        for look in looks
        if versions.get(look.webhook) != look.version
        or (look.event in moved and seqs.get(look.event) != look.seq)
    )


# FOLDED service/reminders/subscribers.py: Webhooks as the sender needs them: with their signing keys opened, kept while they do not change.
log = logging.getLogger(__name__)
# Nobody has so many at work at once; an attacker who makes more only costs us the keeping.
MOST = 10_000


class Key(Struct, frozen=True, kw_only=True):
    signing: SigningKey
    expires_at: datetime | None


class Subscriber(Struct, frozen=True, kw_only=True):
    """One webhook, ready to be sent to."""

    webhook: Webhook
    version: int
    keys: tuple[Key, ...]

    def live(self, now: datetime) -> tuple[SigningKey, ...]:
        """The keys that sign at this instant: of the versions it asked for, newest first."""
        wanted = (key for key in self.keys if key.signing.version in self.webhook.signing)
        return tuple(key.signing for key in wanted if key.expires_at is None or now < key.expires_at)


class Subscribers:
    """A cache that asks the store only for versions."""

    def __init__(self, masters: Mapping[str, bytes]) -> None:
        self._masters = masters
        self._kept: dict[str, Subscriber] = {}

    def load(self, c: Connection, ids: Iterable[str]) -> dict[str, Subscriber]:
        """Those of them that exist, as they are now."""
        versions = webhooks.versions(c, sorted(set(ids)))
        if len(self._kept) > MOST:
            self._kept.clear()
        known = self._kept
        news = [key for key, version in versions.items() if key not in known or known[key].version != version]
        if news:
            self._read(c, news)
        return {key: known[key] for key in versions if key in known}

    def _read(self, c: Connection, ids: list[str]) -> None:
        found = webhooks.many(c, ids)
        keys: dict[str, list[Key]] = {}
        for secret in webhook_secrets.of(c, ids):
            if (key := self._opened(secret)) is not None:
                keys.setdefault(secret.webhook_id, []).append(key)
        for webhook_id, kept in found.items():
            self._kept[webhook_id] = Subscriber(
                webhook=kept.webhook, version=kept.version, keys=tuple(keys.get(webhook_id, ()))
            )

    def _opened(self, secret: Secret) -> Key | None:
        try:
            opened = unseal(secret.sealed, webhook_id=secret.webhook_id, masters=self._masters)
        except Unsealable as error:
            log.error("secret %s of webhook %s: %s", secret.id, secret.webhook_id, error)
            return None
        return Key(signing=opened, expires_at=secret.expires_at)


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
