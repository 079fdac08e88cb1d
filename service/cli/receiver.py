"""A receiver on this machine: verifies each message with somebody else's code, and passes it on to be shown.

The judge is the PyPI `standardwebhooks`, so that we do not mark our own work.
"""

import hmac
import re
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

import msgspec
from rich.markup import escape
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from service.catalogue.event import Text
from service.cli.console import countdown, korean_time

BODY_LIMIT = 1 << 20


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """One request as it came. `fault` says why it is not to be trusted; None when its signature is right."""

    headers: Mapping[str, str]
    body: bytes
    fault: str | None

    @property
    def id(self) -> str:
        return self.headers.get("webhook-id", "")


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a request."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""


Answer = Callable[[Arrival], int | Reply]


def judge(secret: str, *, headers: Mapping[str, str], body: bytes, simulated: bool = False) -> str | None:
    """None if the message is genuine, else the fault in a few words.

    In simulated time the judge's own check that a message is at most five minutes old cannot hold, so its
    signature is computed by the judge and compared here.
    """
    try:
        if simulated:
            return _judge_of_another_time(Webhook(secret), headers, body)
        Webhook(secret).verify(body, dict(headers), json_parse=False)
    except WebhookVerificationError as error:
        return str(error)
    except (ValueError, OverflowError, OSError, TypeError) as error:
        # The judge decodes unasked: instants beyond the calendar, bytes that are no text.
        return f"unreadable: {error}"
    return None


def _judge_of_another_time(judge: Webhook, headers: Mapping[str, str], body: bytes) -> str | None:
    signed_at = datetime.fromtimestamp(int(headers.get("webhook-timestamp", "")), UTC)
    right = judge.sign(headers.get("webhook-id", ""), signed_at, body.decode())
    given = headers.get("webhook-signature", "").split(" ")
    return None if any(hmac.compare_digest(right, one) for one in given) else "No matching signature found"


class Receiver:
    """Listens on loopback in its own threads for as long as the `with` block lasts.

    `unread` is set once nobody reads what is shown of the arrivals; whoever waits for more calls `check`.
    """

    def __init__(
        self, answer: Answer, *, secret: Callable[[], str | None], port: int = 0, simulated: bool = False
    ) -> None:
        self._answer, self._secret, self._simulated = answer, secret, simulated
        self.unread = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, name="receiver", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def check(self) -> None:
        """Raises BrokenPipeError in the caller's thread, which may end what those of the receiver may not."""
        if self.unread.is_set():
            raise BrokenPipeError

    def arrived(self, headers: Mapping[str, str], body: bytes) -> Reply:
        secret = self._secret()
        fault = "no secret to verify with"
        if secret is not None:
            fault = judge(secret, headers=headers, body=body, simulated=self._simulated) or ""
        try:
            self.check()
            answer = self._answer(Arrival(headers=headers, body=body, fault=fault or None))
        except BrokenPipeError:
            self.unread.set()
            return Reply(status=503)
        return Reply(status=answer) if isinstance(answer, int) else answer

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def do_POST(self) -> None:
                length = self.headers.get("content-length", "")
                known = re.fullmatch(r"[0-9]{1,18}", length) is not None
                if not known or int(length) > BODY_LIMIT:
                    self._reply(Reply(status=413 if known else 411))
                    self.close_connection = True
                    return
                headers = {name.lower(): value for name, value in self.headers.items()}
                self._reply(receiver.arrived(headers, self.rfile.read(int(length))))

            def _reply(self, reply: Reply) -> None:
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            def log_message(self, format: str, *args: object) -> None:
                """Quiet: what arrives is shown by whoever asked for it."""

        return Handler


# What a body can be that is no message: not JSON or another JSON, not UTF-8, nested without end.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class ShownLabel(msgspec.Struct, frozen=True, kw_only=True):
    label: Text = Text()


class ShownEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of an event that fit on a line."""

    name: Text = Text()
    when: ShownLabel = ShownLabel()
    start: str | None = None
    end: str | None = None


class Countdown(msgspec.Struct, frozen=True, kw_only=True):
    anchor: str
    before: str
    late_seconds: int = 0


class Data(msgspec.Struct, frozen=True, kw_only=True):
    event: ShownEvent | None = None
    reminder: Countdown | None = None
    changed: tuple[str, ...] = ()
    previous: dict[str, object] = {}


class ReceivedMessage(msgspec.Struct, frozen=True, kw_only=True):
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
        message = msgspec.json.decode(arrival.body, type=ReceivedMessage)
    except UNREADABLE:
        return f"{seal}  {escape(arrival.body[:200].decode(errors='replace'))}"
    sent = _sent(arrival)
    at = f"{korean_time(sent)}  " if sent else ""
    return f"{at}{seal}  {_what(message)}"


def _sent(arrival: Arrival) -> datetime | None:
    """When it says it was sent; None where it names no instant of the next three thousand years."""
    stamp = arrival.headers.get("webhook-timestamp", "")
    return datetime.fromtimestamp(int(stamp), UTC) if re.fullmatch(r"[0-9]{1,11}", stamp) else None


def _what(message: ReceivedMessage) -> str:
    event = message.data.event or ShownEvent()
    name = escape(event.name.ko or event.name.en or "")
    when = escape(event.when.label.ko or "")
    reminder = message.data.reminder
    if reminder is None:
        kind = escape(message.type.removeprefix("event."))
        fields = escape(", ".join(_change(field, message.data, event) for field in message.data.changed))
        changed = f" ({fields})" if kind in ("updated", "rescheduled") else ""
        return f"[bold]{kind}[/]{changed}  {name}  {when}"
    late = f" [yellow]{reminder.late_seconds} s late[/]" if reminder.late_seconds else ""
    before = escape(f"{countdown(reminder.before):>5}")
    return f"[bold]{before}[/] {escape(f'{reminder.anchor:<6}')}{late} {name}  {when}"


def _change(field: str, data: Data, event: ShownEvent) -> str:
    """The name of a changed field; of a date also from what to what."""
    if field not in ("start", "end"):
        return field
    return f"{field} {data.previous.get(field) or '–'} → {getattr(event, field) or '–'}"
