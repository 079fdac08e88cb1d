"""Renders a message as Slack's Block Kit, for an incoming webhook.

Everything a stranger wrote is escaped as Slack asks (`&`, `<`, `>`), which ends mentions (`<!channel>`) and
links, and `verbatim` keeps bare addresses from becoming links. A word joiner breaks formatting marks, for
which mrkdwn has no escape.
"""

import re

import msgspec
from msgspec import Struct

from service.reminders.messages import chat
from service.reminders.messages.chat import ChatMessage

MOST_HEADER = 150
MOST_FIELD = 2000
MOST_TEXT = 3000
# A mark before a space marks nothing.
_MARKS = re.compile(r"([*_~`])(?=\S)")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
JOINER = "\u2060"


class Mrkdwn(Struct, frozen=True, kw_only=True, tag_field="type", tag="mrkdwn"):
    text: str
    verbatim: bool = True


class Plain(Struct, frozen=True, kw_only=True, tag_field="type", tag="plain_text"):
    text: str
    emoji: bool = False


class Header(Struct, frozen=True, kw_only=True, tag_field="type", tag="header"):
    text: Plain


class SectionBlock(Struct, frozen=True, kw_only=True, tag_field="type", tag="section"):
    fields: tuple[Mrkdwn, ...]


class Context(Struct, frozen=True, kw_only=True, tag_field="type", tag="context"):
    elements: tuple[Mrkdwn, ...]


class Button(Struct, frozen=True, kw_only=True, tag_field="type", tag="button"):
    text: Plain
    url: str


class Actions(Struct, frozen=True, kw_only=True, tag_field="type", tag="actions"):
    elements: tuple[Button, ...]


class Slack(Struct, frozen=True, kw_only=True):
    """`text` is what notifications show and what is read aloud."""

    text: str
    blocks: tuple[Header | SectionBlock | Context | Actions, ...]
    unfurl_links: bool = False
    unfurl_media: bool = False


def render(message: ChatMessage) -> bytes:
    blocks: list[Header | SectionBlock | Context | Actions] = [
        Header(text=Plain(text=cut(message.headline, MOST_HEADER)))
    ]
    if message.rows:
        rows = (f"*{escaped(row.label)}*\n{escaped(row.text)}" for row in message.rows[:10])
        blocks.append(SectionBlock(fields=tuple(Mrkdwn(text=cut(row, MOST_FIELD)) for row in rows)))
    if message.notes:
        blocks.append(
            Context(elements=tuple(Mrkdwn(text=cut(escaped(note), MOST_TEXT)) for note in message.notes[:10]))
        )
    if message.links:
        buttons = (Button(text=Plain(text=cut(link.label, 75)), url=link.url) for link in message.links)
        blocks.append(Actions(elements=tuple(buttons)))
    return msgspec.json.encode(Slack(text=cut(escaped(message.headline), MOST_TEXT), blocks=tuple(blocks)))


def escaped(text: str) -> str:
    return _MARKS.sub(JOINER + r"\1", text.translate(_ENTITIES))


def cut(text: str, most: int) -> str:
    """Cuts to this length, never within an entity."""
    return chat.cut(text, most, mended=lambda kept: re.sub(r"&[a-z]*$", "", kept))
