"""Lists the public feeds, each with its present size and the ways to subscribe."""

from datetime import UTC, datetime

import msgspec
from litestar import Response, get

from service import calendar_clients
from service.api import queries, responses
from service.api.middleware import RatedCaller
from service.api.operations import PAGING_PARAMETERS, Parameter, route
from service.api.request import LANGUAGES, Call
from service.api.shapes import page_of
from service.calendar_clients import Subscription
from service.catalogue.event import Language
from service.catalogue.validation import FEED_NAMES
from service.errors import NotFound
from service.feedcache.cache import FeedCache
from service.feedcache.request import parse
from service.store import entity_names

LANG = Parameter(
    name="lang",
    description="Only the feeds in this language.",
    schema={"type": "string", "enum": list(LANGUAGES)},
)


class Formats(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The addresses of one feed."""

    ics: str
    json: str
    atom: str


class FeedView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One feed with its present size. Where it would outgrow 900,000 bytes it leaves out what is past, the
    oldest first (`without_past`), then descriptions (`shortened`). `over_budget`: is too large for Google
    even so, whose readers should take a narrower one; Google is then not among the ways to subscribe."""

    lang: Language
    name: str
    title: str
    urls: Formats
    entries: int
    bytes: int
    without_past: bool
    shortened: bool
    over_budget: bool
    modified: datetime
    subscribe: tuple[Subscription, ...]


class FeedListPosition(msgspec.Struct, frozen=True, array_like=True, order=True):
    """The last feed of a page: its places in LANGUAGES and FEED_NAMES (all others last), and its name."""

    lang: int
    rank: int
    name: str


@get(
    "/v1/feeds",
    **route(
        "List feeds",
        tag="Feeds",
        parameters=(*PAGING_PARAMETERS, LANG),
        answers={200: page_of(FeedView)},
        cached=True,
    ),
)
async def listed(request: Call) -> Response[bytes]:
    """Every feed there is, with its size, the links to subscribe, and how soon each program looks again."""
    (limit, after), lang = queries.together(lambda: request.paging(FeedListPosition), lambda: request.lang)
    groups = await request.service.store.aread(entity_names.groups)
    positions = [
        position
        for position in _positions({name for _, name in groups})
        if lang in (None, LANGUAGES[position.lang]) and (after is None or position > after)
    ]
    page = positions[:limit]
    feeds: FeedCache = request.app.state.feeds
    payer, base_url = RatedCaller.of(request.scope), request.service.settings.base_url
    views = [await _view(feeds, position, base_url, payer) for position in page]
    bodies = [msgspec.json.encode(view) for view in views if view]
    following = page[-1] if len(positions) > limit else None
    return request.shown(responses.page(bodies, request.cursor(following)))


def _positions(groups: set[str]) -> list[FeedListPosition]:
    """Our own names first; a series or program that bears one of them has no feed of its own."""
    ranked = [(rank, name) for rank, name in enumerate(FEED_NAMES)]
    ranked += [(len(FEED_NAMES), name) for name in sorted(groups - set(FEED_NAMES))]
    return [FeedListPosition(lang, rank, name) for lang in range(len(LANGUAGES)) for rank, name in ranked]


async def _view(
    feeds: FeedCache, position: FeedListPosition, base_url: str, payer: RatedCaller
) -> FeedView | None:
    lang = LANGUAGES[position.lang]
    feed = parse(f"/feeds/{lang}/{position.name}.ics", b"")
    if feed is None:
        return None
    try:
        copy = await feeds.get(feed, payer)
    except NotFound:
        # It was deleted after the names had been listed.
        return None
    address = f"{base_url}/feeds/{lang}/{position.name}"
    return FeedView(
        lang=lang,
        name=position.name,
        title=copy.title,
        urls=Formats(ics=f"{address}.ics", json=f"{address}.json", atom=f"{address}.atom"),
        entries=len(copy.entries),
        bytes=len(copy.body),
        without_past=copy.without_past,
        shortened=copy.short is not None,
        over_budget=copy.over_budget,
        modified=datetime.fromtimestamp(copy.modified, UTC),
        subscribe=calendar_clients.subscriptions(
            f"{address}.ics", title=copy.title, over_budget=copy.over_budget
        ),
    )


HANDLERS = (listed,)
