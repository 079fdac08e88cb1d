"""What there is to subscribe to."""

from datetime import UTC, datetime

import msgspec
from litestar import Response, get

from service import calendar_clients
from service.api import queries, responses
from service.api.operations import CURSOR_PARAMETER, LIMIT_PARAMETER, Parameter, operation
from service.api.request import Call
from service.api.shapes import page_of
from service.calendar_clients import Subscription
from service.catalogue.event import Language
from service.catalogue.validation import FEED_NAMES
from service.errors import NotFound
from service.feedcache import request
from service.feedcache.cache import FeedCache
from service.feedcache.rendering import Edition
from service.store import entity_names

LANGUAGES: tuple[Language, ...] = ("ko", "en")
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
    """One feed with its present size. `shortened`: outgrew 900,000 bytes, so descriptions are left out;
    `over_budget`: is too large for Google even so, whose readers should take a narrower one."""

    lang: Language
    name: str
    title: str
    urls: Formats
    entries: int
    bytes: int
    shortened: bool
    over_budget: bool
    modified: datetime
    subscribe: tuple[Subscription, ...]


class Place(msgspec.Struct, frozen=True, array_like=True, order=True):
    """Where a page ended."""

    lang: int
    rank: int
    name: str


@get(
    "/v1/feeds",
    opt=operation(
        "List feeds",
        tag="Feeds",
        parameters=(LIMIT_PARAMETER, CURSOR_PARAMETER, LANG),
        answers={200: page_of(FeedView)},
        cached=True,
    ),
)
async def listed(request: Call) -> Response[bytes]:
    """Every feed there is, with its size, the links to subscribe, and how soon each program looks again."""
    (limit, after), lang = queries.together(lambda: request.paging(Place), lambda: request.lang)
    groups = await request.service.store.aread(entity_names.groups)
    places = [
        place for place in _places({name for _, name in groups}) if lang in (None, LANGUAGES[place.lang])
    ]
    later = [place for place in places if after is None or place > after]
    page = later[:limit]
    feeds: FeedCache = request.app.state.feeds
    found = [await _view(feeds, place, request.service.settings.base_url) for place in page]
    bodies = [msgspec.json.encode(view) for view in found if view]
    return request.shown(responses.page(bodies, request.cursor(page[-1] if len(later) > limit else None)))


def _places(groups: set[str]) -> list[Place]:
    """Our own names first; a series or program that bears one of them has no feed of its own."""
    ranked = [(rank, name) for rank, name in enumerate(FEED_NAMES)]
    ranked += [(len(FEED_NAMES), name) for name in sorted(groups - set(FEED_NAMES))]
    return [Place(lang, rank, name) for lang in range(len(LANGUAGES)) for rank, name in ranked]


async def _view(feeds: FeedCache, place: Place, base_url: str) -> FeedView | None:
    lang = LANGUAGES[place.lang]
    found = request.read(f"/feeds/{lang}/{place.name}.ics", b"")
    if found is None:
        return None
    try:
        return _shown(await feeds.get(found), base_url)
    except NotFound:
        # It went between the list of names and now.
        return None


def _shown(edition: Edition, base_url: str) -> FeedView:
    lang, name = edition.asked.lang, edition.asked.name
    address = f"{base_url}/feeds/{lang}/{name}"
    return FeedView(
        lang=lang,
        name=name,
        title=edition.title,
        urls=Formats(ics=f"{address}.ics", json=f"{address}.json", atom=f"{address}.atom"),
        entries=len(edition.shown.ordered),
        bytes=len(edition.body),
        shortened=edition.short is not None,
        over_budget=edition.over_budget,
        modified=datetime.fromtimestamp(edition.modified, UTC),
        subscribe=calendar_clients.subscriptions(f"{address}.ics", title=edition.title),
    )


HANDLERS = (listed,)
