"""`dday listen`: see reminders arrive on this machine, the way `stripe listen` does."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import msgspec
import rich_click as click

from service.cli.arguments import COUNTDOWN, EVERY_CHANGE
from service.cli.console import Misused, Refused, err, out, show_json
from service.cli.receiver import Arrival, Receiver, Reply, for_machine, line
from service.cli.remote import Api, path_of
from service.reminders.webhook import NewWebhook, WebhookView
from service.settings import listen_secret

# A closed terminal and a supervisor end it like Ctrl-C: its webhook must not outlive it.
STOPPED_BY = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


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
@click.option(
    "--url", metavar="URL", help="The service to ask. [default: DDAY_URL, or this machine's port 8000]"
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a request, for a machine.")
def listen(port: int, forward_to: str | None, secret: str | None, url: str | None, as_json: bool) -> None:
    """Receive, verify and show reminders here until Ctrl-C.

    Makes a webhook for as long as it runs (DDAY_API_KEY needs the scope webhooks; the service must allow
    loopback: DDAY_EGRESS_ALLOW=127.0.0.0/8), with D-7, D-1, D-day and every change.
    """
    forward = None if forward_to is None else Forward(target(forward_to))
    secret = listen_secret(secret)
    for number in STOPPED_BY:
        signal.signal(number, signal.default_int_handler)
    found: list[str] = [secret] if secret else []
    with _receiver(port, found=found, forward=forward, as_json=as_json) as receiver:
        if secret:
            err.print(f"Listening at {receiver.url}", markup=False)
            _until_interrupted()
            return
        with Api(url) as api, _own_webhook(api, receiver.url) as made:
            found.append(str(made.secret))
            err.print(f"Listening at {receiver.url} as webhook {made.id}, secret {made.secret}", markup=False)
            _until_interrupted()


# FOLDED service/cli/forward.py: A request passed on to a program on this machine, and the program's answer brought back.
ANSWER_LIMIT = 64 << 10
# A reminder's attempt ends after 15 s; until then the answer must be back.
TIMEOUT = 14
HOP_BY_HOP = frozenset({"host", "connection", "content-length", "accept-encoding", "transfer-encoding"})
PASSED_BACK = ("content-type", "retry-after")


class Unanswered(Exception):
    """Why there is no answer to bring back."""


class Forward:
    """Posts each request to one address, unchanged."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = httpx.Client(trust_env=False, timeout=TIMEOUT)

    def pass_on(self, arrival: Arrival) -> Reply:
        """What the program answers, with at most the first 64 KiB of its body."""
        # As bytes, for a header may hold any of them. Uncompressed, for the answer is passed back so.
        named = ((k.encode("latin-1"), v.encode("latin-1")) for k, v in arrival.headers.items())
        headers = [(name, value) for name, value in named if name.decode("latin-1") not in HOP_BY_HOP]
        headers.append((b"accept-encoding", b"identity"))
        try:
            with self._client.stream("POST", self._url, content=arrival.body, headers=headers) as answer:
                return Reply(status=answer.status_code, headers=_passed_back(answer), body=_beginning(answer))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unanswered(f"{self._url} did not answer: {error}") from None


def target(text: str) -> str:
    """The address of --forward-to, with its query if it has one."""
    try:
        parts = urlsplit(text)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            httpx.URL(text)
            return text
    except (ValueError, httpx.InvalidURL):
        pass  # a port or a host that cannot be
    raise Misused(
        f"--forward-to: {text!r} must be an http or https address with a host, such as "
        "http://localhost:3000/hooks."
    )


def _passed_back(answer: httpx.Response) -> dict[str, str]:
    given = {name.lower().decode("latin-1"): value.decode("latin-1") for name, value in answer.headers.raw}
    return {name: given[name] for name in PASSED_BACK if name in given}


def _beginning(answer: httpx.Response) -> bytes:
    body = bytearray()
    for chunk in answer.iter_bytes():
        body += chunk
        if len(body) >= ANSWER_LIMIT:
            break
    return bytes(body[:ANSWER_LIMIT])


def _receiver(port: int, *, found: list[str], forward: Forward | None, as_json: bool) -> Receiver:
    def answer(arrival: Arrival) -> int | Reply:
        reply = _answered(forward, arrival) if forward else None
        if as_json:
            show_json(for_machine(arrival, forwarded=reply.status if reply else None))
        else:
            out.print(line(arrival) + (f"  → {reply.status}" if reply else ""))
        return reply or 204

    try:
        return Receiver(answer, secret=lambda: found[0] if found else None, port=port)
    except OSError as error:
        raise Refused(f"Port {port} cannot be listened on: {error.strerror}.") from None


def _answered(forward: Forward, arrival: Arrival) -> Reply:
    try:
        return forward.pass_on(arrival)
    except Unanswered as why:
        err.print(str(why), markup=False)
        return Reply(status=502)


@contextmanager
def _own_webhook(api: Api, url: str) -> Iterator[WebhookView]:
    asked = NewWebhook(url=url, name="dday listen", reminders=COUNTDOWN, changes=EVERY_CHANGE)
    made = msgspec.json.decode(api.call("POST", "/v1/webhooks", body=asked), type=WebhookView)
    try:
        yield made
    finally:
        api.call("DELETE", path_of("/v1/webhooks", made.id))


def _until_interrupted() -> None:
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        err.print("Stopped listening.")
