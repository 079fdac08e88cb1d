"""Renders a message as a Discord embed, for a channel's webhook.

`allowed_mentions` permits none, whatever a title says; Markdown is escaped, and addresses a stranger wrote do
not become links.
"""

import re

import msgspec
from msgspec import UNSET, Struct, UnsetType

from service.reminders.messages import chat
from service.reminders.messages.chat import ChatMessage, Tone, utf16_length

# An embed is at most 6,000 long in all: the description has what title and ten fields leave of it.
MOST = 6000
MOST_TITLE = 256
MOST_FIELDS = 10
MOST_VALUE = 500
MOST_DESCRIPTION = 2000
COLORS: dict[Tone, int] = {"calm": 0x3B82F6, "soon": 0xF59E0B, "change": 0x8B5CF6, "over": 0xEF4444}
# A list needs the beginning of a line, a spoiler and a strike two marks; the others work anywhere.
_MARKS = re.compile(r"(^-|[\\`*_\[\]#>]|~(?=~)|\|(?=\|))", re.MULTILINE)
ZERO_WIDTH = "\u200b"


class AllowedMentions(Struct, frozen=True, kw_only=True):
    parse: tuple[str, ...] = ()


class EmbedField(Struct, frozen=True, kw_only=True):
    name: str
    value: str
    inline: bool = False


class Embed(Struct, frozen=True, kw_only=True):
    title: str
    color: int
    url: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    fields: tuple[EmbedField, ...] = ()


class Discord(Struct, frozen=True, kw_only=True):
    embeds: tuple[Embed, ...]
    allowed_mentions: AllowedMentions = AllowedMentions()


def render(message: ChatMessage) -> bytes:
    rows = [(row.label, escaped(row.text)) for row in message.rows]
    # Field values are Markdown, where our own links may stand; only the first can be the embed's own.
    links = [f"[{escaped(link.label)}](<{link.url}>)" for link in message.links[1:] if _linkable(link.url)]
    title = cut(escaped(message.headline), MOST_TITLE)
    fields = tuple(
        EmbedField(name=name, value=cut(text, MOST_VALUE)) for name, text in rows[:MOST_FIELDS] if text
    )
    left = (
        MOST
        - utf16_length(title)
        - sum(utf16_length(field.name) + utf16_length(field.value) for field in fields)
    )
    embed = Embed(
        title=title,
        color=COLORS[message.tone],
        url=message.links[0].url if message.links else UNSET,
        description=_description([*(escaped(note) for note in message.notes), *links], left),
        fields=fields,
    )
    return msgspec.json.encode(Discord(embeds=(embed,)))


def escaped(text: str) -> str:
    """Marks get a backslash; a character nobody sees breaks mentions and addresses."""
    broken = text.replace("@", "@" + ZERO_WIDTH).replace("://", ":" + ZERO_WIDTH + "//")
    return _MARKS.sub(r"\\\1", broken.replace("<", "<" + ZERO_WIDTH))


def cut(text: str, most: int) -> str:
    """Cuts to this length, never within an escape."""
    return chat.cut(text, most, mended=_without_half_an_escape)


def _without_half_an_escape(text: str) -> str:
    dangling = len(text) - len(text.rstrip("\\"))
    return text[:-1] if dangling % 2 else text


def _description(lines: list[str], left: int) -> str | UnsetType:
    return cut("\n".join(lines), min(MOST_DESCRIPTION, left)) if lines else UNSET


def _linkable(url: str) -> bool:
    return not any(char in url for char in "<>() ")
