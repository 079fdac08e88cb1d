"""`dday webhooks`: see, make and try webhooks on a running service, over its API."""

from collections.abc import Sequence
from datetime import datetime
from typing import get_args

import msgspec
import rich_click as click

from service.cli.arguments import filter_of, rate_of, rules_of
from service.cli.console import (
    CommandFailed,
    Misused,
    countdown,
    err,
    filter_options,
    korean_time,
    out,
    show_json,
    show_table,
)
from service.cli.remote import Api, on_service, path_of
from service.reminders.preview import Upcoming
from service.reminders.webhook import Change, Format, Signing, WebhookView


class AttemptRow(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of an attempt that a table shows."""

    outcome: str | None = None
    status: int | None = None
    latency_ms: int | None = None


class DeliveryRow(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a delivery that a table shows."""

    id: str
    type: str
    state: str
    reason: str | None = None
    event: str | None = None
    due_at: datetime | None = None
    attempts: tuple[AttemptRow, ...] = ()


class RedeliverAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a redelivery; that of a single one has no number."""

    redelivered: int | None = None
    seconds: int | None = None


@click.group()
def webhooks() -> None:
    """See, make and try webhooks on a running service. DDAY_API_KEY needs the scope webhooks."""


@webhooks.command(name="list")
@on_service
def list_(api: Api, as_json: bool) -> None:
    """Show the webhooks of your key."""
    if as_json:
        show_json(api.every("/v1/webhooks", msgspec.Raw))
        return
    rows = [(w.id, w.state, w.format, w.name, w.url) for w in api.every("/v1/webhooks", WebhookView)]
    show_table(("id", "state", "format", "name", "url"), rows, empty="This key has no webhooks yet.")


@webhooks.command()
@click.argument("target")
@click.option("--name", default="dday webhooks add", show_default=True, help="What people call it.")
@click.option("--format", "form", type=click.Choice(get_args(Format)), default="standard", show_default=True)
@click.option("--lang", type=click.Choice(("ko", "en")), default="ko", show_default=True)
@click.option(
    "--remind",
    multiple=True,
    metavar="ANCHOR:BEFORE[@TIME]",
    help="Such as closes:P1D@09:00 or closes:PT3H; may be repeated.",
)
@click.option("--on", "changes", multiple=True, type=click.Choice(get_args(Change)), help="Changes to tell.")
@filter_options
@click.option("--rate", metavar="COUNT/TIME", help="At most so many requests, such as 60/PT1M.")
@click.option("--timezone", default="Asia/Seoul", show_default=True)
@click.option("--remind-at", default="09:00", show_default=True, help="For days without a time.")
@click.option("--sign", "signing", multiple=True, type=click.Choice(get_args(Signing)), default=("v1",))
@on_service
def add(
    api: Api,
    as_json: bool,
    target: str,
    name: str,
    form: str,
    lang: str,
    remind: tuple[str, ...],
    changes: tuple[str, ...],
    filters: tuple[str, ...],
    rate: str | None,
    timezone: str,
    remind_at: str,
    signing: tuple[str, ...],
) -> None:
    """Make a webhook that posts to TARGET, and show its secret, once."""
    if not (remind or changes):
        raise Misused("It asks for nothing. Give it --remind, such as closes:P1D@09:00, or --on, or both.")
    body = {
        "url": target,
        "name": name,
        "format": form,
        "lang": lang,
        "reminders": rules_of(remind),
        "changes": changes,
        "filter": filter_of(filters),
        "timezone": timezone,
        "remind_at": remind_at,
        "signing": signing,
        "rate": rate_of(rate),
    }
    answer = api.call("POST", "/v1/webhooks", body=body)
    if as_json:
        show_json(msgspec.Raw(answer))
        return
    made = msgspec.json.decode(answer, type=WebhookView)
    out.print(made.id, markup=False)
    err.print(f"Its secret, shown only now: {made.secret}", markup=False)


@webhooks.command()
@click.argument("webhook")
@on_service
def remove(api: Api, as_json: bool, webhook: str) -> None:
    """Delete WEBHOOK; nothing more is sent to it."""
    api.call("DELETE", path_of("/v1/webhooks", webhook))
    err.print(f"{webhook} is deleted.", markup=False)


@webhooks.command()
@click.argument("webhook")
@click.option("--event", help="Send the reminder of this event as a sample.")
@on_service
def test(api: Api, as_json: bool, webhook: str, event: str | None) -> None:
    """Send a test message now and show how it went; exit code 1 if it was not taken."""
    answer = api.call(
        "POST", path_of("/v1/webhooks", webhook, "/test"), body={"event": event} if event else {}
    )
    attempt = msgspec.json.decode(answer, type=AttemptRow)
    if as_json:
        show_json(msgspec.Raw(answer))
    else:
        said = f"{attempt.outcome}, status {attempt.status}" if attempt.status else str(attempt.outcome)
        out.print(f"{said}, {attempt.latency_ms} ms", markup=False)
    if attempt.outcome != "2xx":
        raise CommandFailed("The receiver did not take it.")


@webhooks.command()
@click.argument("webhook")
@click.option("--days", type=click.IntRange(1, 400), default=30, show_default=True)
@on_service
def upcoming(api: Api, as_json: bool, webhook: str, days: int) -> None:
    """Show what WEBHOOK will be sent and when, and what it will not be sent and why."""
    path = path_of("/v1/webhooks", webhook, "/upcoming")
    if as_json:
        show_json(api.get(path, msgspec.Raw, days=days))
        return
    preview = api.get(path, Upcoming, days=days)
    rows = [
        (korean_time(i.due_at), countdown(i.before), i.anchor, i.event, i.delivery) for i in preview.items
    ]
    show_table(
        ("due (KST)", "", "anchor", "event", "delivery"), rows, empty=f"Nothing in the next {days} days."
    )
    for each in preview.not_planned:
        err.print(
            f"not planned: {each.event} {each.anchor} {countdown(each.before)}: {each.reason}", markup=False
        )


@webhooks.command()
@click.argument("webhook")
@click.option("--state", multiple=True, help="Such as dead; may be repeated.")
@click.option("--type", "kind", multiple=True, help="Such as event.reminder; may be repeated.")
@click.option("--since", help="An instant, such as 2026-01-31T00:00:00Z.")
@on_service
def deliveries(
    api: Api, as_json: bool, webhook: str, state: Sequence[str], kind: Sequence[str], since: str | None
) -> None:
    """Show what was sent to WEBHOOK, what waits, and how each went."""
    path = path_of("/v1/webhooks", webhook, "/deliveries")
    if as_json:
        show_json(api.every(path, msgspec.Raw, state=state, type=kind, since=since))
        return
    found = api.every(path, DeliveryRow, state=state, type=kind, since=since)
    rows = [(d.id, _state(d), d.type, d.event, korean_time(d.due_at), _last(d)) for d in found]
    show_table(("id", "state", "type", "event", "due (KST)", "last attempt"), rows, empty="Nothing yet.")


@webhooks.command()
@click.argument("what")
@click.option("--since", help="For a webhook: from this instant.")
@click.option("--until", help="For a webhook: up to this instant.")
@click.option("--state", "states", multiple=True, help="For a webhook: dead, expired, succeeded.")
@on_service
def redeliver(
    api: Api, as_json: bool, what: str, since: str | None, until: str | None, states: tuple[str, ...]
) -> None:
    """Send one delivery (dlv_…) again, or those of a webhook (whk_…) in a span of time.

    The webhook must be active; to one that is paused or disabled nothing is sent.
    """
    if what.startswith("dlv_"):
        answer = api.call("POST", path_of("/v1/deliveries", what, "/redeliver"), body={})
    elif since is None:
        raise Misused("Redelivering for a webhook needs --since.")
    else:
        asked = {"since": since, "until": until, "states": list(states)}
        body = {name: value for name, value in asked.items() if value}
        answer = api.call("POST", path_of("/v1/webhooks", what, "/redeliver"), body=body)
    show_json(msgspec.Raw(answer)) if as_json else err.print(_again(answer), markup=False)


def _again(answer: bytes) -> str:
    """Returns a sentence on a redelivery: for a span of time, how many, and how long its rate makes that."""
    told = msgspec.json.decode(answer, type=RedeliverAnswer)
    if told.redelivered is None:
        return "It will be sent again."
    takes = f", in {told.seconds} s at least" if told.seconds else ""
    return f"To be sent again: {told.redelivered}{takes}."


def _state(delivery: DeliveryRow) -> str:
    return f"{delivery.state} ({delivery.reason})" if delivery.reason else delivery.state


def _last(delivery: DeliveryRow) -> str:
    if not delivery.attempts:
        return ""
    attempt = delivery.attempts[-1]
    if attempt.outcome is None:
        return "under way"
    return f"{attempt.status or attempt.outcome} ({attempt.latency_ms} ms)"
