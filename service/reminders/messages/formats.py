"""The table of message formats: renders a delivery and its event to the bytes of a body."""

from collections.abc import Callable
from datetime import datetime

from msgspec import Struct

from service.reminders.messages import chat, discord, slack, standard, teams
from service.reminders.messages.chat import ChatMessage
from service.reminders.plan import Planned
from service.reminders.webhook import Format, Webhook

CHATS: dict[Format, Callable[[ChatMessage], bytes]] = {
    "slack": slack.render,
    "discord": discord.render,
    "teams": teams.render,
}


class ChangeDetails(Struct, frozen=True, kw_only=True):
    """The fields that a revision changed, and their values before it."""

    changed: tuple[str, ...]
    previous: dict[str, object]


def reminder(
    planned: Planned,
    webhook: Webhook,
    *,
    event: bytes,
    page: str | None,
    now: datetime,
    sample: bool = False,
) -> bytes:
    """`event` is the document with its phase, `page` its address, `now` the first attempt's instant."""
    render = CHATS.get(webhook.format)
    if render is None:
        return standard.reminder(planned, event=event, now=now, sample=sample)
    message = chat.reminder(planned, document=event, lang=webhook.lang, page=page, now=now)
    return render(chat.as_sample(message) if sample else message)


def notice(
    planned: Planned, webhook: Webhook, *, event: bytes, change: ChangeDetails, page: str | None
) -> bytes:
    """`event` is its document after the change; of a deleted event the last there was."""
    render = CHATS.get(webhook.format)
    if render is None:
        return standard.notice(planned, event=event, changed=change.changed, previous=change.previous)
    message = chat.notice(planned, document=event, previous=change.previous, lang=webhook.lang, page=page)
    return render(message)


def test(webhook: Webhook, *, now: datetime) -> bytes:
    render = CHATS.get(webhook.format)
    if render is None:
        return standard.test(webhook=webhook.id, name=webhook.name, now=now)
    return render(chat.test(name=webhook.name, lang=webhook.lang))


def disabled(webhook: Webhook, *, other: Webhook, now: datetime) -> bytes:
    """Tells one webhook that another of the same owner was switched off."""
    reason = other.disabled_reason or ""
    render = CHATS.get(webhook.format)
    if render is None:
        return standard.disabled(
            webhook=webhook.id, disabled=other.id, name=other.name, reason=reason, now=now
        )
    return render(chat.disabled(name=other.name, reason=reason, lang=webhook.lang))
