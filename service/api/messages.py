"""What receivers are sent in the format `standard`, for the `webhooks` of the OpenAPI document.

`service.reminders.payload` makes the bodies; a test holds them to these schemas.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from inspect import getdoc
from typing import Any, Literal, get_args

import msgspec

from service.catalogue.view import View
from service.reminders.payload import DisabledData, Reminder, TestData
from service.reminders.planned import Notice


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """`timestamp`: when it was due, or when what it tells of happened."""

    timestamp: datetime


class ReminderOf(msgspec.Struct, frozen=True, kw_only=True):
    """The event as it was known when the message was made, and which of your rules it is for."""

    event: View
    reminder: Reminder
    webhook: str
    revision: int


class NoticeOf(msgspec.Struct, frozen=True, kw_only=True):
    """The event after the change, null where nothing is left; the fields that changed, and as they were."""

    event: View | None
    changed: tuple[str, ...]
    previous: dict[str, Any]
    webhook: str
    revision: int


class ReminderMessage(Message, frozen=True, kw_only=True):
    """A day that matters comes near."""

    type: Literal["event.reminder"]
    data: ReminderOf


class NoticeMessage(Message, frozen=True, kw_only=True):
    """An event that your filter takes, or took, has changed."""

    type: Notice
    data: NoticeOf


class TestMessage(Message, frozen=True, kw_only=True):
    """A test that was asked for."""

    type: Literal["webhook.test"]
    data: TestData


class DisabledMessage(Message, frozen=True, kw_only=True):
    """Another webhook of yours was switched off."""

    type: Literal["webhook.disabled"]
    data: DisabledData


KINDS: Mapping[str, type[Message]] = {
    "event.reminder": ReminderMessage,
    **dict.fromkeys(get_args(Notice), NoticeMessage),
    "webhook.test": TestMessage,
    "webhook.disabled": DisabledMessage,
}
_HEADERS = {
    "webhook-id": "The same for every attempt: keep those you have handled for two days.",
    "webhook-timestamp": "Seconds since 1970, of this attempt.",
    "webhook-signature": "`v1,…`, and more after blanks (Standard Webhooks).",
}


def webhooks(schema: Callable[[Any], Mapping[str, Any]]) -> dict[str, Any]:
    """One entry for each type of message."""
    return {name: {"post": _entry(name, kind, schema(kind))} for name, kind in KINDS.items()}


def _entry(name: str, kind: type[Message], schema: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "operationId": f"receive_{name.replace('.', '_')}",
        "summary": getdoc(kind),
        "tags": ["Webhooks"],
        "parameters": [_header(each, said) for each, said in _HEADERS.items()],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {
            "2XX": {"description": "Taken."},
            "410": {"description": "Not wanted any more: the webhook is switched off."},
            "default": {"description": "It is tried again, as long as it is of use."},
        },
    }


def _header(name: str, said: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": True, "description": said, "schema": {"type": "string"}}
