"""`dday feeds`: see, make and move saved feeds on a running service, over its API."""

from datetime import datetime

import msgspec
import rich_click as click

from service.cli.arguments import filter_of, pair
from service.cli.console import err, filter_options, out, show_json, show_table
from service.cli.remote import Api, on_service, path_of

ROUTE = "/v1/saved-feeds"


class Urls(msgspec.Struct, frozen=True, kw_only=True):
    ics: str


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a new feed, or of a new address, that a person needs."""

    urls: Urls
    id: str = ""
    previous_until: datetime | None = None


class FeedRow(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a feed that a table shows."""

    id: str
    name: dict[str, str | tuple[str, ...]]
    lang: str
    addresses: tuple[msgspec.Raw, ...]


@click.group()
def feeds() -> None:
    """See, make and move saved feeds on a running service. DDAY_API_KEY needs the scope feeds."""


@feeds.command(name="list")
@on_service
def list_(api: Api, as_json: bool) -> None:
    """Show the saved feeds of your key, without their addresses."""
    if as_json:
        show_json(api.every(ROUTE, msgspec.Raw))
        return
    rows = [(f.id, f.lang, _called(f), len(f.addresses)) for f in api.every(ROUTE, FeedRow)]
    show_table(("id", "lang", "name", "addresses"), rows, empty="This key has no saved feeds yet.")


@feeds.command()
@click.argument("name")
@click.option("--lang", type=click.Choice(("ko", "en")), default="ko", show_default=True)
@filter_options
@click.option(
    "--option", "options", multiple=True, metavar="NAME=VALUE", help="Such as windows=bar; may be repeated."
)
@on_service
def add(
    api: Api, as_json: bool, name: str, lang: str, filters: tuple[str, ...], options: tuple[str, ...]
) -> None:
    """Keep a selection as the feed NAME and show its address, once."""
    chosen = dict(_option(text) for text in options)
    body = {"name": name, "lang": lang, "filter": filter_of(filters), "options": chosen}
    answer = api.call("POST", ROUTE, body=body)
    words = "{0.id}: its address is shown only now. Whoever has it reads the feed."
    _show_address(answer, words, as_json=as_json)


@feeds.command()
@click.argument("feed")
@click.option("--overlap", default="P90D", show_default=True, help="How long the old one works; PT0S: not.")
@on_service
def rotate(api: Api, as_json: bool, feed: str, overlap: str) -> None:
    """Give FEED another address and show it, once."""
    answer = api.call("POST", path_of(ROUTE, feed, "/rotate"), body={"overlap": overlap})
    words = "Shown only now. Older addresses end at {0.previous_until:%Y-%m-%d %H:%M} UTC."
    _show_address(answer, words, as_json=as_json)


@feeds.command()
@click.argument("feed")
@on_service
def remove(api: Api, as_json: bool, feed: str) -> None:
    """Delete FEED; its addresses are dead from now on."""
    api.call("DELETE", path_of(ROUTE, feed))
    err.print(f"{feed} is deleted.", markup=False)


def _show_address(answer: bytes, words: str, *, as_json: bool) -> None:
    """The address alone on the output, so that it can be piped; the words beside it."""
    if as_json:
        show_json(msgspec.Raw(answer))
        return
    made = msgspec.json.decode(answer, type=Made)
    out.print(made.urls.ics, markup=False)
    err.print(words.format(made), markup=False)


def _option(text: str) -> tuple[str, object]:
    """`alarms` is a list and `placeholders` a flag; the service judges the rest."""
    name, value = pair(text, "=", flag="--option")
    if name == "alarms":
        return name, value.split(",")
    return name, {"true": True, "false": False}.get(value, value)


def _called(feed: FeedRow) -> object:
    return feed.name.get(feed.lang) or next(iter(feed.name.values()), "")
