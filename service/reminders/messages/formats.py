"""The one place that knows every format: from a delivery and its event to the bytes of a body."""

from collections.abc import Callable
from datetime import datetime

from msgspec import Struct

from service.reminders.messages import chat as message
from service.reminders.messages import discord, slack, standard, teams
from service.reminders.messages.chat import Message
from service.reminders.plan import Planned
from service.reminders.webhook import Format, Webhook

CHATS: dict[Format, Callable[[Message], bytes]] = {
    "slack": slack.render,
    "discord": discord.render,
    "teams": teams.render,
}


class Change(Struct, frozen=True, kw_only=True):
    """What a revision changed: field names, and their values before it."""

    changed: tuple[str, ...]
    previous: dict[str, object]


def reminder(planned: Planned, webhook: Webhook, *, event: bytes, page: str | None, now: datetime) -> bytes:
    """`event` is the document with its phase.

    `now` the first attempt's instant; `page` its public address.
    """
    chat = CHATS.get(webhook.format)
    if chat is None:
        return standard.reminder(planned, event=event, now=now)
    return chat(message.reminder(planned, event=event, lang=webhook.lang, page=page, now=now))


def notice(planned: Planned, webhook: Webhook, *, event: bytes, change: Change, page: str | None) -> bytes:
    """`event` is the document after the change; of a deleted event the last there was."""
    chat = CHATS.get(webhook.format)
    if chat is None:
        return standard.notice(planned, event=event, changed=change.changed, previous=change.previous)
    said = message.notice(planned, event=event, previous=change.previous, lang=webhook.lang, page=page)
    return chat(said)


def test(webhook: Webhook, *, now: datetime) -> bytes:
    chat = CHATS.get(webhook.format)
    if chat is None:
        return standard.test(webhook=webhook.id, name=webhook.name, now=now)
    return chat(message.test(name=webhook.name, lang=webhook.lang))


def disabled(webhook: Webhook, *, other: Webhook, now: datetime) -> bytes:
    """Word to one webhook that another of the same owner was switched off."""
    reason = other.disabled_reason or ""
    chat = CHATS.get(webhook.format)
    if chat is None:
        return standard.disabled(
            webhook=webhook.id, disabled=other.id, name=other.name, reason=reason, now=now
        )
    return chat(message.disabled(name=other.name, reason=reason, lang=webhook.lang))
