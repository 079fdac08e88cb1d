"""What a saved feed contains, and another address for it."""

from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from msgspec import Meta
from sqlalchemy import Connection

from service.api import answers
from service.api.answers import Answer
from service.api.call import Call
from service.api.deliveries import owner
from service.api.feedlist import Formats
from service.api.operations import Media, operation
from service.api.saved_feeds import TAG, subscriptions, urls
from service.errors import At, Conflict, Unprocessable
from service.feedcache import saved
from service.feedcache.asked import Asked
from service.feedcache.cache import FeedCache
from service.feedcache.edition import Edition
from service.feedcache.material import OutOfDate
from service.reminders import offsets
from service.store import feed_addresses, savedfeeds
from service.subscribe import Subscription

LONGEST_OVERLAP = timedelta(days=180)
# Each that was replaced shows another end and so is a feed of its own to render.
MOST_ADDRESSES = 10
JSON_FEED = "application/feed+json"


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
    status_code=200,
    opt=operation(
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
    overlap, now = _overlap(await request.read_if_sent(Move)), request.now

    def work(c: Connection) -> Answer:
        feed = savedfeeds.get(c, feed_id, owner=owner(request), locked=True).feed
        feed_addresses.end(c, feed_id, now=now, at=now + overlap)
        if len(feed_addresses.live(c, [feed_id], now=now)[feed_id]) >= MOST_ADDRESSES:
            detail = (
                f"{MOST_ADDRESSES} addresses lead to this feed. Rotate with overlap PT0S to end them all."
            )
            raise Conflict(detail)
        shown = urls(request, feed, feed_addresses.create(c, feed_id, now=now))
        ways = subscriptions(feed, shown)
        return answers.value(MovedFeed(urls=shown, subscribe=ways, previous_until=now + overlap))

    return await request.write(work)


@get(
    "/v1/saved-feeds/{feed_id:str}/contents",
    opt=operation(
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
    answer = request.shown(answers.tagged(edition.body))
    answer.media_type = JSON_FEED
    return answer


async def _edition(request: Call, feeds: FeedCache, feed_id: str) -> Edition:
    try:
        return await feeds.get(await _asked(request, feed_id))
    except OutOfDate:
        # It was changed in between; if it is gone, this says so.
        return await feeds.get(await _asked(request, feed_id))


async def _asked(request: Call, feed_id: str) -> Asked:
    kept = await request.service.store.reading(lambda c: savedfeeds.get(c, feed_id, owner=owner(request)))
    document = msgspec.json.encode(kept.feed)
    return saved.asked(document, "json", feed=feed_id, version=kept.version, moved=None)


def _overlap(wanted: Move) -> timedelta:
    try:
        overlap = offsets.parse(wanted.overlap).longest
    except offsets.OffsetError:
        overlap = None
    if overlap is None or overlap > LONGEST_OVERLAP:
        detail = f"use an ISO 8601 duration from PT0S to P{LONGEST_OVERLAP.days}D, such as P90D"
        raise Unprocessable(errors=[At(detail=detail, pointer="/overlap")])
    return overlap


HANDLERS = (rotate, contents)
