"""`dday listen`: see reminders arrive on this machine, the way `stripe listen` does."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

import msgspec
import rich_click as click

from service.cli.arguments import COUNTDOWN, EVERY_CHANGE
from service.cli.console import CommandFailed, Misused, err, out, show_json
from service.cli.receiver import Arrival, Receiver, Reply, for_machine, line
from service.cli.remote import UNREACHABLE, Api, connect, path_of, url_option
from service.reminders.webhook import NewWebhook, WebhookView
from service.settings import Settings, listen_secret

# A closed terminal and a supervisor end it like Ctrl-C: its webhook must not outlive it.
STOPPED_BY = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ANSWER_LIMIT = 64 << 10
# The answer must be back before the attempt of the reminder ends.
SECONDS = Settings().attempt_timeout.total_seconds() - 1
HOP_BY_HOP = frozenset({"host", "connection", "content-length", "accept-encoding", "transfer-encoding"})
PASSED_BACK = ("content-type", "retry-after")


@click.command()
@click.option(
    "--port", type=click.IntRange(1, 65_535), default=4242, show_default=True, help="Where to listen."
)
@click.option(
    "--forward-to",
    metavar="URL",
    help="Pass every request on, unchanged, and answer as it answers: its status, content-type, retry-after "
    "and body (64 KiB of it).",
)
@click.option(
    "--secret",
    metavar="WHSEC",
    help="Only listen, for a webhook that exists and has this secret; better given as DDAY_LISTEN_SECRET, "
    "which `ps` does not show.",
)
@url_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a request, for a machine.")
def listen(port: int, forward_to: str | None, secret: str | None, url: str | None, as_json: bool) -> None:
    """Receive, verify and show reminders here until Ctrl-C.

    Makes a webhook for as long as it runs (DDAY_API_KEY needs the scope webhooks; the service must allow
    loopback: DDAY_EGRESS_ALLOW=127.0.0.0/8), with D-7, D-1, D-day and every change.
    """
    forward_to = None if forward_to is None else _checked_target(forward_to)
    secret = listen_secret(secret)
    _on_stop(signal.default_int_handler)
    secrets = [secret] if secret else []
    with _receiver(port, secrets=secrets, forward_to=forward_to, as_json=as_json) as receiver:
        if secret:
            _until_interrupted(receiver, f"Listening at {receiver.url}")
            return
        with _own_webhook(Api(url), receiver.url) as webhook:
            secrets.append(str(webhook.secret))
            whose = f"as webhook {webhook.id}, secret {webhook.secret}"
            _until_interrupted(receiver, f"Listening at {receiver.url} {whose}")


def _receiver(port: int, *, secrets: list[str], forward_to: str | None, as_json: bool) -> Receiver:
    """Returns the receiver, which shows each request and answers as the target of `--forward-to` does."""

    def answer(arrival: Arrival) -> int | Reply:
        reply = _forwarded(arrival, forward_to) if forward_to else None
        if as_json:
            show_json(for_machine(arrival, forwarded=reply.status if reply else None))
        else:
            out.print(line(arrival) + (f"  → {reply.status}" if reply else ""))
        return reply or 204

    try:
        return Receiver(answer, secret=lambda: secrets[0] if secrets else None, port=port)
    except OSError as error:
        raise CommandFailed(f"Port {port} cannot be listened on: {error.strerror}.") from None


def _forwarded(arrival: Arrival, url: str) -> Reply:
    """Posts the request to `url` and returns the answer, with at most the first 64 KiB of its body."""
    headers = {name: value for name, value in arrival.headers.items() if name not in HOP_BY_HOP}
    connection, target = connect(url, timeout=SECONDS)
    try:
        connection.request("POST", target, arrival.body, headers)
        response = connection.getresponse()
        passed_back = {name: response.headers[name] for name in PASSED_BACK if name in response.headers}
        return Reply(status=response.status, headers=passed_back, body=response.read(ANSWER_LIMIT))
    except UNREACHABLE as error:
        err.print(f"{url} did not answer: {error}", markup=False)
        return Reply(status=502)
    finally:
        connection.close()


def _checked_target(text: str) -> str:
    """Returns the address of `--forward-to`. Raises Misused for one nothing can be posted to."""
    try:
        parts = urlsplit(text)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            connect(text, timeout=SECONDS)
            return text
    except (ValueError, HTTPException):
        pass  # a port or a host that cannot be
    raise Misused(
        f"--forward-to: {text!r} must be an http or https address with a host, such as "
        "http://localhost:3000/hooks."
    )


@contextmanager
def _own_webhook(api: Api, url: str) -> Iterator[WebhookView]:
    asked = NewWebhook(url=url, name="dday listen", reminders=COUNTDOWN, changes=EVERY_CHANGE)
    webhook = msgspec.json.decode(api.call("POST", "/v1/webhooks", body=asked), type=WebhookView)
    try:
        yield webhook
    finally:
        api.call("DELETE", path_of("/v1/webhooks", webhook.id))


def _until_interrupted(receiver: Receiver, said: str) -> None:
    """Says where it listens, and returns when a signal comes; whoever reads it may send one at once."""
    stopped: list[int] = []
    _on_stop(lambda number, _: stopped.append(number))
    err.print(said, markup=False)
    # A signal that the system gives to a thread of the receiver wakes no wait without an end.
    while not stopped and not receiver.unread.wait(timeout=0.1):
        pass
    _on_stop(signal.default_int_handler)
    if stopped:
        err.print("Stopped listening.")
    else:
        receiver.check()


def _on_stop(handler: Callable[[int, FrameType | None], Any]) -> None:
    for number in STOPPED_BY:
        signal.signal(number, handler)
