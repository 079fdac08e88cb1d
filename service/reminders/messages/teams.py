"""Renders a message as an Adaptive Card, for the webhook of a Teams workflow.

Texts stand in RichTextBlocks, which take their runs literally: nothing a stranger wrote is ever Markdown. A
mention needs an entity, which we never send.
"""

import msgspec
from msgspec import UNSET, Struct, UnsetType

from service.reminders.messages.chat import ChatMessage, Tone, cut

MOST_RUN = 2000
COLORS: dict[Tone, str] = {"calm": "default", "soon": "warning", "change": "accent", "over": "attention"}


class TextRun(Struct, frozen=True, kw_only=True, tag_field="type", tag="TextRun"):
    text: str
    weight: str | UnsetType = UNSET
    size: str | UnsetType = UNSET
    color: str | UnsetType = UNSET
    isSubtle: bool | UnsetType = UNSET


class RichText(Struct, frozen=True, kw_only=True, tag_field="type", tag="RichTextBlock"):
    inlines: tuple[TextRun, ...]
    spacing: str | UnsetType = UNSET


class OpenUrl(Struct, frozen=True, kw_only=True, tag_field="type", tag="Action.OpenUrl"):
    title: str
    url: str


class Card(
    Struct, frozen=True, kw_only=True, tag_field="type", tag="AdaptiveCard", rename={"schema": "$schema"}
):
    schema: str = "http://adaptivecards.io/schemas/adaptive-card.json"
    version: str = "1.4"
    lang: str
    body: tuple[RichText, ...]
    actions: tuple[OpenUrl, ...] = ()


class Attachment(Struct, frozen=True, kw_only=True, rename="camel"):
    content_type: str = "application/vnd.microsoft.card.adaptive"
    content: Card


class Teams(Struct, frozen=True, kw_only=True):
    type: str = "message"
    summary: str
    attachments: tuple[Attachment, ...]


def render(message: ChatMessage) -> bytes:
    title = TextRun(
        text=cut(message.headline, MOST_RUN), weight="bolder", size="large", color=COLORS[message.tone]
    )
    rows = (
        RichText(
            inlines=(TextRun(text=f"{row.label}  ", weight="bolder"), TextRun(text=cut(row.text, MOST_RUN))),
            spacing="small",
        )
        for row in message.rows
    )
    notes = (
        RichText(inlines=(TextRun(text=cut(note, MOST_RUN), isSubtle=True),), spacing="small")
        for note in message.notes
    )
    card = Card(
        lang=message.lang,
        body=(RichText(inlines=(title,)), *rows, *notes),
        actions=tuple(OpenUrl(title=link.label, url=link.url) for link in message.links),
    )
    return msgspec.json.encode(
        Teams(summary=cut(message.headline, MOST_RUN), attachments=(Attachment(content=card),))
    )
