"""A webhook: where it sends, its reminder rules, its filter of events, and its requests and answers."""

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET, Meta, UnsetType

from service.catalogue import dates, filters
from service.catalogue.event import Language
from service.catalogue.filters import EventFilter, FilterBody
from service.catalogue.validation import Fault, Invalid, character_fault
from service.reminders import offsets
from service.reminders.offsets import Offset

Anchor = Literal["start", "end", "opens", "closes"]
Format = Literal["standard", "slack", "discord", "teams"]
Change = Literal["created", "updated", "rescheduled", "postponed", "cancelled", "deleted"]
Signing = Literal["v1", "v1a"]
State = Literal["active", "paused", "disabled"]
Late = Literal["skip", "send_now"]
Resume = Literal["skip", "catch_up"]
DAYS_WANTED = "a time of day needs a `before` of whole days, such as P7D, P1D or P0D"
_selection = lru_cache(maxsize=4096)(filters.read_filter)

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Target = Annotated[str, Meta(min_length=1, max_length=2000)]
ZoneName = Annotated[str, Meta(min_length=1, max_length=64)]
ClockTime = Annotated[str, Meta(pattern=r"^(?:[01][0-9]|2[0-3]):[0-5][0-9]$")]


class Rule(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    cache_hash=True,
):
    """A reminder rule: how long before which anchor, and with `at` at which time of that day.

    `at` is a time in the webhook's zone; `before` then counts whole days from the day of the anchor.
    """

    anchor: Anchor
    before: Annotated[str, Meta(min_length=2, max_length=40)]
    at: ClockTime | None = None

    @property
    def offset(self) -> Offset:
        return offsets.parse(self.before)


class Rate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At most so many requests begin within any time as long as `per`, an ISO 8601 duration."""

    count: Annotated[int, Meta(ge=1, le=10_000)]
    per: Annotated[str, Meta(min_length=2, max_length=40)]

    @property
    def length(self) -> timedelta:
        return offsets.parse(self.per).longest

    def takes(self, requests: int) -> timedelta:
        """How long so many requests take at least."""
        return self.length * ((requests - 1) // self.count) if requests else timedelta()


# What services document for one incoming webhook. Who exceeds it is answered 429.
KNOWN_RATES = {
    "hooks.slack.com": Rate(count=1, per="PT1S"),
    "discord.com": Rate(count=5, per="PT2S"),
    "discordapp.com": Rate(count=5, per="PT2S"),
}
LONGEST_RATE = timedelta(days=1)


class Webhook(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A webhook as the planner and the sender know it. Its secrets are stored apart.

    `since` is the instant from which its rules hold: set at creation, when reminders, filter, zone or time
    change, when it is disabled, and on a resume that skips. What was due by then was "already past": see
    `late`. What was due by `skipped_until` came while it was paused and is never sent. `from_seq` is where
    the revision log ended at `since`; the webhook is told of changes from there on.

    `in_step` and `past` are the planner's: whether it has planned for these rules, and the rules before them
    that it has yet to plan for, oldest first.
    """

    id: str
    owner: str
    url: str
    name: str
    format: Format
    lang: Language
    filter: FilterBody
    reminders: tuple[Rule, ...]
    changes: tuple[Change, ...]
    timezone: str
    remind_at: str
    signing: tuple[Signing, ...]
    late: Late
    resume: Resume
    state: State
    disabled_reason: str | None
    since: datetime
    created_at: datetime
    updated_at: datetime
    skipped_until: datetime | None = None
    from_seq: int = 0
    in_step: bool = True
    past: tuple["Former", ...] = ()
    rate: Rate | None = None

    @property
    def pace(self) -> Rate | None:
        """The limit to keep: its own, else the one that its host documents."""
        return self.rate or KNOWN_RATES.get(urlsplit(self.url).hostname or "")

    @property
    def is_chat(self) -> bool:
        """Whether people read what it is sent."""
        return self.format != "standard"

    @property
    def selection(self) -> EventFilter:
        return _selection(self.filter)


class Former(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a webhook until a change: for what was due by `until`, and for the log up to `seq`."""

    until: datetime
    seq: int
    was: Webhook


class NewWebhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /v1/webhooks`."""

    url: Target
    name: Name
    format: Format = "standard"
    lang: Language = "ko"
    filter: FilterBody = FilterBody()
    reminders: Annotated[tuple[Rule, ...], Meta(max_length=20)] = ()
    changes: Annotated[tuple[Change, ...], Meta(max_length=6)] = ()
    timezone: ZoneName = "Asia/Seoul"
    remind_at: ClockTime = "09:00"
    signing: Annotated[tuple[Signing, ...], Meta(min_length=1, max_length=2)] = ("v1",)
    late: Late = "skip"
    resume: Resume = "skip"
    rate: Rate | None = None


class PatchWebhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `PATCH /v1/webhooks/{id}`. Absent fields stay; `state` pauses, resumes and re-enables."""

    url: Target | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    format: Format | UnsetType = UNSET
    lang: Language | UnsetType = UNSET
    filter: FilterBody | UnsetType = UNSET
    reminders: Annotated[tuple[Rule, ...], Meta(max_length=20)] | UnsetType = UNSET
    changes: Annotated[tuple[Change, ...], Meta(max_length=6)] | UnsetType = UNSET
    timezone: ZoneName | UnsetType = UNSET
    remind_at: ClockTime | UnsetType = UNSET
    signing: Annotated[tuple[Signing, ...], Meta(min_length=1, max_length=2)] | UnsetType = UNSET
    late: Late | UnsetType = UNSET
    resume: Resume | UnsetType = UNSET
    rate: Rate | UnsetType | None = UNSET
    state: Literal["active", "paused"] | UnsetType = UNSET


class WebhookView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A webhook as its owner sees it. `secret` is there once: in the answer that made it.

    `public_key` verifies its `v1a` signatures; it comes with the secret, and is at `/.well-known/jwks.json`.
    """

    id: str
    url: str
    name: str
    format: Format
    lang: Language
    filter: FilterBody
    reminders: tuple[Rule, ...]
    changes: tuple[Change, ...]
    timezone: str
    remind_at: str
    signing: tuple[Signing, ...]
    late: Late
    resume: Resume
    rate: Rate | None
    state: State
    disabled_reason: str | None
    created_at: datetime
    updated_at: datetime
    secret: str | UnsetType = UNSET
    public_key: str | UnsetType = UNSET


# The fields that decide what is planned: changing one of them starts the rules anew.
PLANNING = ("filter", "reminders", "changes", "timezone", "remind_at", "late")


def created(body: NewWebhook, *, webhook_id: str, owner: str, now: datetime) -> Webhook:
    """Returns the webhook a request asks for; raises Invalid with every fault at once."""
    wanted = {name: getattr(body, name) for name in NewWebhook.__struct_fields__}
    made = Webhook(
        id=webhook_id,
        owner=owner,
        **wanted,
        state="active",
        disabled_reason=None,
        since=now,
        created_at=now,
        updated_at=now,
    )
    return check(made)


def patched(webhook: Webhook, body: PatchWebhook, *, now: datetime) -> Webhook:
    """Returns the webhook after a PATCH, itself if nothing changes; raises Invalid with all faults."""
    wanted = ((name, getattr(body, name)) for name in PatchWebhook.__struct_fields__)
    news = {name: value for name, value in wanted if value is not UNSET}
    after = check(msgspec.structs.replace(webhook, **news))
    if after == webhook:
        return webhook
    resumed = webhook.state != "active" and after.state == "active"
    anew = any(getattr(after, name) != getattr(webhook, name) for name in PLANNING)
    if after.state != "disabled":
        after = msgspec.structs.replace(after, disabled_reason=None)
    skips = resumed and after.resume == "skip"
    since = now if anew or skips else webhook.since
    skipped = now if skips else webhook.skipped_until
    return msgspec.structs.replace(after, since=since, skipped_until=skipped, updated_at=now)


def begins_anew(before: Webhook, after: Webhook) -> bool:
    """Whether its deliveries have to be planned again; a pause only holds them back."""
    return after.since != before.since or before.state == "disabled" != after.state


def view(webhook: Webhook) -> WebhookView:
    """Returns what the owner of a webhook sees of it."""
    shown = (name for name in WebhookView.__struct_fields__ if name not in ("secret", "public_key"))
    return WebhookView(**{name: getattr(webhook, name) for name in shown})


def check(webhook: Webhook) -> Webhook:
    """Returns it with canonical offsets and without repeats; raises Invalid with every fault at once."""
    faults = [
        *(
            fault
            for index, rule in enumerate(webhook.reminders)
            for fault in rule_faults(rule, pointer=f"/reminders/{index}")
        ),
        *_rate_faults(webhook.rate),
        *_filter_faults(webhook.filter),
        *_text_faults(webhook),
    ]
    try:
        dates.zone(webhook.timezone)
    except dates.ZoneError as error:
        faults.append(Fault(pointer="/timezone", detail=str(error)))
    if faults:
        raise Invalid(tuple(faults))
    spelt = (msgspec.structs.replace(rule, before=rule.offset.text) for rule in webhook.reminders)
    return msgspec.structs.replace(
        webhook,
        reminders=tuple(dict.fromkeys(spelt)),
        changes=tuple(dict.fromkeys(webhook.changes)),
        signing=tuple(sorted({"v1", *webhook.signing})),
    )


def rule_faults(rule: Rule, *, pointer: str = "") -> tuple[Fault, ...]:
    """Returns what is wrong with a rule that stands at this JSON pointer."""
    try:
        offset = offsets.parse(rule.before)
    except offsets.OffsetError as error:
        return (Fault(pointer=f"{pointer}/before", detail=str(error)),)
    if rule.at is not None and not offset.counts_days:
        return (Fault(pointer=f"{pointer}/at", detail=DAYS_WANTED),)
    return ()


def _rate_faults(rate: Rate | None) -> tuple[Fault, ...]:
    try:
        if rate is None or timedelta() < rate.length <= LONGEST_RATE:
            return ()
        detail = f"use a length from PT1S to P{LONGEST_RATE.days}D"
    except offsets.OffsetError as error:
        detail = str(error)
    return (Fault(pointer="/rate/per", detail=detail),)


def _filter_faults(body: FilterBody) -> tuple[Fault, ...]:
    try:
        filters.read_filter(body)
    except Invalid as invalid:
        return invalid.faults
    return ()


def _text_faults(webhook: Webhook) -> list[Fault]:
    texts = (("/name", webhook.name), ("/url", webhook.url), ("/remind_at", webhook.remind_at))
    faults = ((pointer, character_fault(text)) for pointer, text in texts)
    return [Fault(pointer=pointer, detail=detail) for pointer, detail in faults if detail is not None]
