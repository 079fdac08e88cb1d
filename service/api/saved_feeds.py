"""Saved feeds: one private address for a selection, which can change while its subscribers stay.

Made, seen, changed, deleted. A key sees its own; another's are answered like ones there are not.
"""

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Annotated

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import FromPath
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy import Connection

from service import calendar_clients
from service.api import json_body, responses
from service.api.event_edits import whole
from service.api.feed_list import Formats
from service.api.middleware import RatedCaller
from service.api.operations import PAGING_PARAMETERS, Media, route
from service.api.request import Call, CreatedPosition
from service.api.responses import ApiResponse, Page, StoredVersion
from service.api.shapes import SavedFeedPatch
from service.calendar_clients import Subscription
from service.catalogue.event import Language, Text
from service.catalogue.filters import FilterBody
from service.catalogue.saved_feed import FeedOptions, NewSavedFeed, PatchSavedFeed, SavedFeed
from service.catalogue.vocabulary import pick
from service.errors import Conflict, Problem
from service.feedcache import saved
from service.feedcache.builder import FeedCopy
from service.feedcache.cache import FeedCache
from service.feedcache.request import FeedRequest
from service.feedcache.selection import OutOfDate
from service.store import saved_feeds
from service.store.saved_feeds import Address, StoredFeed

TAG = "Saved feeds"
# Each is a feed to render; one key must not make work for all.
MOST = 1000
# Each replaced address shows another end, and so is a feed of its own to render.
MOST_ADDRESSES = 10
LONGEST_OVERLAP = timedelta(days=180)
JSON_FEED = "application/feed+json"
_OVERLAP_FORM = f"use an ISO 8601 duration from PT0S to P{LONGEST_OVERLAP.days}D, such as P90D"


class AddressView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An address that leads to the feed. `id` is how its token begins; the rest nobody can show again.

    One that was replaced leads on until `ends_at`.
    """

    id: str
    created_at: datetime
    replaced_at: datetime | None
    ends_at: datetime | None


class SavedFeedView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A saved feed as its owner sees it; `urls` and `subscribe` are in the answer to its making only."""

    id: str
    name: Text
    lang: Language
    filter: FilterBody
    options: FeedOptions
    addresses: tuple[AddressView, ...]
    created_at: datetime
    updated_at: datetime
    urls: Formats | UnsetType = UNSET
    subscribe: tuple[Subscription, ...] | UnsetType = UNSET


@post(
    "/v1/saved-feeds",
    **route(
        "Make a saved feed",
        tag=TAG,
        scope="feeds",
        body=NewSavedFeed,
        answers={201: SavedFeedView},
        problems=(Conflict,),
        once=True,
    ),
)
async def create(request: Call) -> Response[bytes]:
    """Keep a selection under an address of its own. The answer is the only place that ever shows the address.

    Whoever has the address reads the feed: give it to those who are to follow, and rotate it when it leaked.
    """
    wanted, now = await request.body_as(NewSavedFeed), request.now
    made = saved.created(wanted, feed_id=f"fed_{token_hex(12)}", owner=request.key.id, now=now)
    large = await _is_large(request, made)

    def work(c: Connection) -> ApiResponse:
        if saved_feeds.count(c, made.owner) >= MOST:
            raise Conflict(f"This key has {MOST} saved feeds, which is the most there can be.")
        kept = saved_feeds.create(c, made)
        token = saved_feeds.create_address(c, made.id, now=now)
        answer = _shown(c, kept, now=now, urls=urls(request, made, token), large=large, status=201)
        return responses.located(answer, f"/v1/saved-feeds/{made.id}")

    return await request.write(work)


@get(
    "/v1/saved-feeds",
    **route(
        "List saved feeds",
        tag=TAG,
        scope="feeds",
        parameters=PAGING_PARAMETERS,
        answers={200: Page[SavedFeedView]},
        cached=True,
    ),
)
async def listed(request: Call) -> Response[bytes]:
    """The saved feeds of this key, oldest first; with scope `admin` everybody's.

    The public feeds are listed at `/v1/feeds`.
    """
    (limit, after), now = request.paging(CreatedPosition), request.now

    place = (after.created_at, after.id) if after else None

    def work(c: Connection) -> ApiResponse:
        rows = saved_feeds.listed(c, owner=request.owner, limit=limit + 1, after=place)
        addresses = saved_feeds.live_addresses(c, [feed.id for feed in rows], now=now)
        return request.page(rows, lambda feed: view(feed, addresses[feed.id]), position=CreatedPosition.of)

    return await request.read(work)


@get(
    "/v1/saved-feeds/{feed_id:str}",
    **route("Show a saved feed", tag=TAG, scope="feeds", answers={200: SavedFeedView}, cached=True),
)
async def show(request: Call, feed_id: FromPath[str]) -> Response[bytes]:
    """One saved feed: its selection and which addresses lead to it, without the addresses themselves."""

    def work(c: Connection) -> ApiResponse:
        return _shown(c, saved_feeds.get(c, feed_id, owner=request.owner), now=request.now)

    return await request.read(work)


@patch(
    "/v1/saved-feeds/{feed_id:str}",
    **route(
        "Change a saved feed",
        tag=TAG,
        scope="feeds",
        body=SavedFeedPatch,
        answers={200: SavedFeedView},
        guarded=True,
    ),
)
async def change(request: Call, feed_id: FromPath[str]) -> Response[bytes]:
    """Change what is named. Every address stays, and shows the new selection at the next look.

    `name`, `filter` and `options` merge, lists are replaced whole.
    """
    patch = await request.json()
    json_body.convert(patch, SavedFeedPatch)

    def work(c: Connection) -> ApiResponse:
        kept = saved_feeds.get(c, feed_id, owner=request.owner, locked=True)
        request.precondition.check((_shown(c, kept, now=request.now).headers["etag"],))
        news = json_body.convert(whole(patch, kept.feed, ("name", "filter", "options")), PatchSavedFeed)
        after = saved.patched(kept.feed, news, now=request.now)
        if after is not kept.feed:
            kept = saved_feeds.replace(c, kept, after)
        return _shown(c, kept, now=request.now)

    return await request.write(work)


@delete(
    "/v1/saved-feeds/{feed_id:str}",
    **route("Delete a saved feed", tag=TAG, scope="feeds", answers={204: None}, guarded=True),
)
async def remove(request: Call, feed_id: FromPath[str]) -> Response[bytes]:
    """Delete it. Each of its addresses answers 410 from now on, for good."""

    def work(c: Connection) -> ApiResponse:
        kept = saved_feeds.get(c, feed_id, owner=request.owner, locked=True)
        request.precondition.check((_shown(c, kept, now=request.now).headers["etag"],))
        saved_feeds.remove(c, feed_id, now=request.now)
        return responses.NO_CONTENT

    return await request.write(work)


def urls(request: Call, feed: SavedFeed, token: str) -> Formats:
    base, name = request.service.settings.base_url, saved.address_name(feed.name)
    return Formats(
        ics=base + saved.address(token, name, "ics"),
        json=base + saved.address(token, name, "json"),
        atom=base + saved.address(token, name, "atom"),
    )


def subscriptions(feed: SavedFeed, shown: Formats, *, large: bool) -> tuple[Subscription, ...]:
    return calendar_clients.subscriptions(shown.ics, title=pick(feed.name, feed.lang), over_budget=large)


async def _is_large(request: Call, feed: SavedFeed) -> bool:
    """Whether its calendar is larger than Google reads, as far as can be told just now."""
    feeds: FeedCache = request.app.state.feeds
    with suppress(Problem):
        return (await feeds.get(saved.public_twin(feed), RatedCaller.of(request.scope))).over_budget
    return False


def view(feed: SavedFeed, addresses: Iterable[Address]) -> SavedFeedView:
    """Everything but the owner."""
    shown = {name: getattr(feed, name) for name in SavedFeed.__struct_fields__ if name != "owner"}
    return SavedFeedView(**shown, addresses=tuple(map(_address, addresses)))


def _shown(
    c: Connection,
    kept: StoredFeed,
    *,
    now: datetime,
    urls: Formats | None = None,
    large: bool = False,
    status: int = 200,
) -> ApiResponse:
    feed = kept.feed
    shown = view(feed, saved_feeds.live_addresses(c, [feed.id], now=now)[feed.id])
    plain = msgspec.json.encode(shown)
    if urls is not None:
        shown = msgspec.structs.replace(shown, urls=urls, subscribe=subscriptions(feed, urls, large=large))
    version = StoredVersion(revision=kept.version)
    return responses.item(msgspec.json.encode(shown), version, status=status, read_as=plain)


def _address(address: Address) -> AddressView:
    return AddressView(**{name: getattr(address, name) for name in AddressView.__struct_fields__})


class Move(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long the old address leads on, saying that it was replaced: at most 180 days, `PT0S` not at all."""

    overlap: Annotated[str, Meta(max_length=40)] = "P90D"


class MovedFeed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The new address, shown only here, and until when the old one leads on."""

    urls: Formats
    subscribe: tuple[Subscription, ...]
    previous_until: datetime


@post(
    "/v1/saved-feeds/{feed_id:str}/rotate",
    **route(
        "Give a saved feed another address",
        tag=TAG,
        scope="feeds",
        body=Move,
        answers={200: MovedFeed},
        problems=(Conflict,),
        once=True,
    ),
)
async def rotate(request: Call, feed_id: FromPath[str]) -> Response[bytes]:
    """Make a new address. The old one works on for the overlap and bears an entry that says it was replaced.

    It does not tell the new address. After the overlap it answers 410 for good, which makes programs give up.
    """
    wanted, now = await request.optional_body_as(Move), request.now
    overlap = json_body.overlap(
        wanted.overlap, longest=LONGEST_OVERLAP, too_long=_OVERLAP_FORM, unreadable=_OVERLAP_FORM
    )

    kept = await request.service.store.aread(lambda c: saved_feeds.get(c, feed_id, owner=request.owner))
    large = await _is_large(request, kept.feed)

    def work(c: Connection) -> ApiResponse:
        feed = saved_feeds.get(c, feed_id, owner=request.owner, locked=True).feed
        saved_feeds.end_addresses(c, feed_id, now=now, at=now + overlap)
        if len(saved_feeds.live_addresses(c, [feed_id], now=now)[feed_id]) >= MOST_ADDRESSES:
            raise Conflict(
                f"{MOST_ADDRESSES} addresses lead to this feed. Rotate with overlap PT0S to end them all."
            )
        shown = urls(request, feed, saved_feeds.create_address(c, feed_id, now=now))
        ways = subscriptions(feed, shown, large=large)
        return responses.value(MovedFeed(urls=shown, subscribe=ways, previous_until=now + overlap))

    return await request.write(work)


@get(
    "/v1/saved-feeds/{feed_id:str}/contents",
    **route(
        "See what a saved feed contains",
        tag=TAG,
        scope="feeds",
        answers={200: Media(type=JSON_FEED, schema={"type": "object"})},
        cached=True,
    ),
)
async def contents(request: Call, feed_id: FromPath[str]) -> Response[bytes]:
    """What subscribers see now, byte for byte as at the JSON address, which the owner need not keep."""
    feeds: FeedCache = request.app.state.feeds
    edition = await _edition(request, feeds, feed_id)
    answer = request.shown(responses.tagged(edition.body))
    answer.media_type = JSON_FEED
    return answer


async def _edition(request: Call, feeds: FeedCache, feed_id: str) -> FeedCopy:
    payer = RatedCaller.of(request.scope)
    try:
        return await feeds.get(await _asked(request, feed_id), payer)
    except OutOfDate:
        # It was changed in between; if it is gone, this says so.
        return await feeds.get(await _asked(request, feed_id), payer)


async def _asked(request: Call, feed_id: str) -> FeedRequest:
    kept = await request.service.store.aread(lambda c: saved_feeds.get(c, feed_id, owner=request.owner))
    document = msgspec.json.encode(kept.feed)
    return saved.feed_request(document, "json", feed=feed_id, version=kept.version, moved=None)


HANDLERS = (
    create,
    listed,
    show,
    change,
    remove,
    rotate,
    contents,
)
