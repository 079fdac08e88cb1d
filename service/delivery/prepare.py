"""Decides about each claimed delivery whether it is still right to send it, and makes its bytes.

It runs in the transaction that claims and opens the attempts, so what is decided here holds when the request
begins: nothing that changes a webhook or an event comes in between.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
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
from service.store import deliveries, event_history, events, webhook_secrets, webhooks
from service.store.claims import Attempted, Claimed, Ended
from service.store.revisions import Revision
from service.store.sql import millis
from service.store.stored_event import Stored
from service.store.webhook_secrets import Secret

# Gives the address of an event's own page in a language, None where the service has none others can reach.
Page = Callable[[str, Language], str | None]
EXPIRES = frozenset(get_args(Outlived))
NOTICES = frozenset(get_args(Notice))
# Redelivered without stored bytes, these are made anew from the event, which must exist and be public. That
# an event was deleted may be told without it.
MADE_ANEW = NOTICES - {"event.deleted"} | {"event.reminder"}
# Subscribers kept in memory; what exceeds this is read again.
MOST_SUBSCRIBERS = 10_000

log = logging.getLogger(__name__)


class OpenedKey(Struct, frozen=True, kw_only=True):
    """A signing key and the instant from which it signs no more, None while it is not being replaced."""

    signing: SigningKey
    expires_at: datetime | None


class Subscriber(Struct, frozen=True, kw_only=True):
    """A webhook with its signing keys opened, ready to be sent to."""

    webhook: Webhook
    version: int
    keys: tuple[OpenedKey, ...]

    def live(self, now: datetime) -> tuple[SigningKey, ...]:
        """The keys that sign at this instant, newest first, in the versions the webhook asked for."""
        wanted = (key for key in self.keys if key.signing.version in self.webhook.signing)
        return tuple(key.signing for key in wanted if key.expires_at is None or now < key.expires_at)


class Subscribers:
    """Reads subscribers and keeps them until the version of their webhook changes."""

    def __init__(self, masters: Mapping[str, bytes]) -> None:
        self._masters = masters
        self._cached: dict[str, Subscriber] = {}

    def load(self, c: Connection, webhook_ids: Iterable[str]) -> dict[str, Subscriber]:
        """Returns the subscribers that exist, as they are now."""
        versions = webhooks.versions(c, sorted(set(webhook_ids)))
        if len(self._cached) > MOST_SUBSCRIBERS:
            self._cached.clear()
        cached = self._cached
        outdated = [
            key for key, version in versions.items() if key not in cached or cached[key].version != version
        ]
        if outdated:
            self._read(c, outdated)
        return {key: cached[key] for key in versions if key in cached}

    def _read(self, c: Connection, webhook_ids: list[str]) -> None:
        stored = webhooks.many(c, webhook_ids)
        keys: dict[str, list[OpenedKey]] = {}
        for secret in webhook_secrets.of(c, webhook_ids):
            if (key := self._opened(secret)) is not None:
                keys.setdefault(secret.webhook_id, []).append(key)
        for webhook_id, kept in stored.items():
            self._cached[webhook_id] = Subscriber(
                webhook=kept.webhook, version=kept.version, keys=tuple(keys.get(webhook_id, ()))
            )

    def _opened(self, secret: Secret) -> OpenedKey | None:
        try:
            opened = unseal(secret.sealed, webhook_id=secret.webhook_id, masters=self._masters)
        except Unsealable as error:
            log.error("secret %s of webhook %s: %s", secret.id, secret.webhook_id, error)
            return None
        return OpenedKey(signing=opened, expires_at=secret.expires_at)


class Outbound(Struct, frozen=True, kw_only=True):
    """A claimed delivery that is to be sent, with its bytes."""

    claimed: Claimed
    subscriber: Subscriber
    body: bytes

    @property
    def attempted(self) -> Attempted:
        """The attempt, as it is recorded before its request begins."""
        claimed = self.claimed
        return Attempted(
            delivery=claimed.planned.id,
            fence=claimed.fence,
            body=None if self.body == claimed.body else self.body,
            body_sha256=sha256(self.body).hexdigest(),
        )


class Prepared(Struct, frozen=True, kw_only=True):
    """Deliveries to send, deliveries that end unsent, and deliveries whose webhook was paused meanwhile."""

    outbound: tuple[Outbound, ...]
    ended: tuple[tuple[Claimed, Ended], ...]
    paused: tuple[Claimed, ...]


class Sources(Struct, frozen=True, kw_only=True):
    """The events and revisions that messages are made from, read at once for a whole batch.

    `newer` has by webhook and event the notices that are on their way or have arrived, as `(seq, id)`.
    """

    events: dict[str, Stored]
    log: dict[int, Revision]
    newer: dict[tuple[str, str], list[tuple[int, str]]]


def prepare(
    c: Connection, claimed: Sequence[Claimed], *, subscribers: Subscribers, page: Page, now: datetime
) -> Prepared:
    """Decides about every claimed delivery, and makes the bodies of those that have none."""
    known = subscribers.load(c, (each.planned.webhook for each in claimed)) if claimed else {}
    sources = _read(c, claimed, known)
    outbound: list[Outbound] = []
    ended: list[tuple[Claimed, Ended]] = []
    paused: list[Claimed] = []
    for each in claimed:
        match _decide(c, each, known.get(each.planned.webhook), sources, page=page, now=now):
            case Outbound() as ready:
                outbound.append(ready)
            case Ended() as over:
                ended.append((each, over))
            case None:
                paused.append(each)
    return Prepared(outbound=tuple(outbound), ended=tuple(ended), paused=tuple(paused))


def _decide(
    c: Connection,
    claimed: Claimed,
    subscriber: Subscriber | None,
    sources: Sources,
    *,
    page: Page,
    now: datetime,
) -> Outbound | Ended | None:
    if subscriber is None:
        return _ended(claimed, "withdrawn")
    if reason := _outdated(claimed, subscriber.webhook, sources, now=now):
        return _ended(claimed, reason)
    if subscriber.webhook.state == "paused":
        return None
    if not subscriber.live(now):
        return _ended(claimed, "unsealable")
    if subscriber.webhook.is_chat and (over := _overtaken(claimed, sources)):
        return over
    kept = None if _is_made_anew(claimed, subscriber.webhook, sources) else claimed.body
    body = kept or _body(c, claimed, subscriber.webhook, sources, page=page, now=now)
    if body is None:
        return _ended(claimed, "too_late")
    return Outbound(claimed=claimed, subscriber=subscriber, body=body)


def _ended(claimed: Claimed, reason: str, *, by: str | None = None) -> Ended:
    state = "dead" if reason == "unsealable" else "expired" if reason in EXPIRES else "superseded"
    return Ended(delivery=claimed.planned.id, fence=claimed.fence, state=state, reason=reason, by=by)


def _read(c: Connection, claimed: Sequence[Claimed], known: Mapping[str, Subscriber]) -> Sources:
    chats = [each for each in claimed if (to := known.get(each.planned.webhook)) and to.webhook.is_chat]
    told = [each.planned for each in chats if _is_notice(each) and not each.replay]
    event_ids = {each.planned.event for each in (*chats, *filter(_depends_on_event, claimed))} - {""}
    newer = deliveries.notices_of(c, sorted({each.event for each in told})) if told else {}
    made = (*chats, *(each for each in claimed if each.body is None))
    seqs = {each.planned.seq for each in made if _is_notice(each)}
    seqs |= {seq for each in told for seq, _ in newer.get((each.webhook, each.event), ()) if seq > each.seq}
    return Sources(
        events=events.get_many(c, sorted(event_ids)), log=event_history.at(c, sorted(seqs)), newer=newer
    )


def _overtaken(claimed: Claimed, sources: Sources) -> Ended | None:
    """Ends a notice that would not be true in a chat any more, or that a newer one has said since.

    A person reads what comes last as what holds now. Receivers of `standard` compare `data.revision`.
    """
    planned, stored = claimed.planned, sources.events.get(claimed.planned.event)
    if not _is_notice(claimed) or claimed.replay:
        return None
    if planned.type == "event.deleted":
        return _ended(claimed, "overtaken") if stored else None
    if stored is None:
        return _ended(claimed, "deleted")
    if (
        planned.type in ("event.cancelled", "event.postponed")
        and planned.type != f"event.{stored.event.status}"
    ):
        return _ended(claimed, "overtaken")
    if planned.type == "event.created":
        return None
    changed = _changed(sources, planned.seq)
    later = sources.newer.get((planned.webhook, planned.event), ())
    by = (key for seq, key in later if seq > planned.seq and changed <= _changed(sources, seq))
    return _ended(claimed, "overtaken", by=key) if (key := next(by, None)) else None


def _changed(sources: Sources, seq: int) -> frozenset[str]:
    row = sources.log.get(seq)
    return frozenset(row.changed) if row else frozenset()


def _is_made_anew(claimed: Claimed, webhook: Webhook, sources: Sources) -> bool:
    """Whether a person reads it, so that it must be true when it arrives: "D-7" is not, a day later."""
    about = claimed.planned.type in MADE_ANEW and claimed.planned.event in sources.events
    return webhook.is_chat and about


def _depends_on_event(claimed: Claimed) -> bool:
    """Whether the event as it is now decides if this is sent."""
    if claimed.replay:
        return claimed.body is None and claimed.planned.type in MADE_ANEW
    return claimed.planned.type == "event.reminder"


def _is_notice(claimed: Claimed) -> bool:
    return claimed.planned.type in NOTICES


def _outdated(claimed: Claimed, webhook: Webhook, sources: Sources, *, now: datetime) -> str | None:
    """Why it must not be sent any more. A redelivery is sent as long as there is anything to say."""
    planned = claimed.planned
    stored = sources.events.get(planned.event)
    if claimed.replay:
        untold = _depends_on_event(claimed) and stored is None
        return "withdrawn" if untold or webhook.state == "disabled" else None
    same_event = stored is not None and stored.seq == planned.seq and stored.halt is None
    if same_event and webhook.state == "active" and millis(webhook.updated_at) <= claimed.created_at:
        return replan.overtaken(planned, now=now)
    candidate = None if stored is None else event_history.candidate(stored)
    return check(planned, candidate, webhook, now=now)


def _body(
    c: Connection, claimed: Claimed, webhook: Webhook, sources: Sources, *, page: Page, now: datetime
) -> bytes | None:
    planned = claimed.planned
    if _is_notice(claimed):
        return _notice(c, claimed, webhook, sources, page=page, now=now)
    stored = sources.events.get(planned.event)
    if stored is None:
        return None
    same = planned.revision == stored.revision
    current = planned if same else replace(planned, revision=stored.revision)
    return formats.reminder(
        current, webhook, event=stored.body(now), page=page(stored.id, webhook.lang), now=now
    )


def _notice(
    c: Connection, claimed: Claimed, webhook: Webhook, sources: Sources, *, page: Page, now: datetime
) -> bytes | None:
    """The notice of one revision; None when the log no longer reaches back to it.

    In a chat it says what changed since before that revision, as the event is now.
    """
    row, stored = sources.log.get(claimed.planned.seq), sources.events.get(claimed.planned.event)
    told = claimed.planned.type
    if webhook.is_chat and stored is not None and told != "event.deleted":
        document: bytes | None = stored.body(now)
    else:
        document = event_history.document(c, row, gone=told == "event.deleted", now=now) if row else None
    if row is None or document is None:
        return None
    # The log has the defaults of fields there; what is new had nothing before.
    before = {change.field: None if told == "event.created" else change.before for change in row.changes}
    change = formats.ChangeDetails(changed=row.changed, previous=before)
    return formats.notice(
        claimed.planned, webhook, event=document, change=change, page=page(row.id, webhook.lang)
    )
