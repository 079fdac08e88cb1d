"""What a person sees of a message that arrived (one line), and what a machine does (one object)."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec
from rich.markup import escape

from service.catalogue.event import Text
from service.cli.receiver import Arrival

KOREA = ZoneInfo("Asia/Seoul")
# What a body can be that is no message: not JSON or another JSON, not UTF-8, nested without end.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Label(msgspec.Struct, frozen=True, kw_only=True):
    label: Text = Text()


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of an event that fit on a line."""

    name: Text = Text()
    when: Label = Label()


class Countdown(msgspec.Struct, frozen=True, kw_only=True):
    anchor: str
    before: str
    late_seconds: int = 0


class Data(msgspec.Struct, frozen=True, kw_only=True):
    event: Shown | None = None
    reminder: Countdown | None = None
    changed: tuple[str, ...] = ()


class Message(msgspec.Struct, frozen=True, kw_only=True):
    type: str
    timestamp: datetime
    data: Data = Data()


class ForMachine(msgspec.Struct, frozen=True, kw_only=True):
    """An arrival as one JSON object."""

    id: str
    sent_at: datetime | None
    verified: bool
    fault: str | None
    forwarded: int | None
    body: msgspec.Raw | str


def for_machine(arrival: Arrival, *, forwarded: int | None = None) -> ForMachine:
    try:
        body: msgspec.Raw | str = msgspec.Raw(msgspec.json.format(arrival.body.decode(), indent=-1))
    except UNREADABLE:
        body = arrival.body.decode(errors="replace")
    return ForMachine(
        id=arrival.id,
        sent_at=_sent(arrival),
        verified=arrival.fault is None,
        fault=arrival.fault,
        forwarded=forwarded,
        body=body,
    )


def line(arrival: Arrival) -> str:
    """As rich markup: sent when, verified or why not, which day it is, of what."""
    seal = "[green]✔ verified[/]" if arrival.fault is None else f"[red]✘ {escape(arrival.fault)}[/]"
    try:
        message = msgspec.json.decode(arrival.body, type=Message)
    except UNREADABLE:
        return f"{seal}  {escape(arrival.body[:200].decode(errors='replace'))}"
    sent = _sent(arrival)
    at = f"{sent.astimezone(KOREA):%Y-%m-%d %H:%M}  " if sent else ""
    return f"{at}{seal}  {_what(message)}"


def _sent(arrival: Arrival) -> datetime | None:
    """When it says it was sent; None where it names no instant of the next three thousand years."""
    stamp = arrival.headers.get("webhook-timestamp", "")
    return datetime.fromtimestamp(int(stamp), UTC) if re.fullmatch(r"[0-9]{1,11}", stamp) else None


def _what(message: Message) -> str:
    event = message.data.event or Shown()
    name = escape(event.name.ko or event.name.en or "")
    when = escape(event.when.label.ko or "")
    reminder = message.data.reminder
    if reminder is None:
        kind = escape(message.type.removeprefix("event."))
        fields = escape(", ".join(message.data.changed))
        changed = f" ({fields})" if kind in ("updated", "rescheduled") else ""
        return f"[bold]{kind}[/]{changed}  {name}  {when}"
    late = f" [yellow]{reminder.late_seconds} s late[/]" if reminder.late_seconds else ""
    before = escape(f"{countdown(reminder.before):>5}")
    return f"[bold]{before}[/] {escape(f'{reminder.anchor:<6}')}{late} {name}  {when}"


def countdown(before: str) -> str:
    """`P7D` is D-7, `PT0S` D-day; other lengths of time stay as they are."""
    if days := re.fullmatch(r"P([0-9]{1,4})D", before):
        return f"D-{days[1]}" if int(days[1]) else "D-day"
    return "D-day" if before == "PT0S" else f"-{before}"
