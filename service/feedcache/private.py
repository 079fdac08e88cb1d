"""Private addresses: what a token leads to. Whether it still does is asked of the store whenever a copy is to
be made or may be out of date; that one is dead is remembered, as programs go on asking for years."""

import re
from collections import OrderedDict
from hashlib import sha256
from typing import cast
from urllib.parse import quote

import msgspec

from service.clock import Clock
from service.errors import Gone, NoSuchFeed
from service.feedcache import saved
from service.feedcache.asked import Asked, Moved, Suffix
from service.store import saved_feeds
from service.store.engine import Store
from service.store.saved_feeds import Lead

FOLDER = "/feeds/p/"
MOST_DEAD = 10_000

FORM = "[a-z0-9]{8}_[A-Za-z0-9_-]{43}"
_PATH = re.compile(rf"/feeds/p/(?P<token>{FORM})/[^/]{{1,300}}\.(?P<suffix>ics|json|atom)")


def address(token: str, name: str, suffix: Suffix) -> str:
    """The path under which a feed is private. Its last part is for people; only the token counts."""
    return f"{FOLDER}{token}/{quote(name)}.{suffix}"


class Key(msgspec.Struct, frozen=True):
    """What stands in a private address."""

    token: str
    suffix: Suffix


class Addresses:
    """Looks tokens up. Used from the event loop only."""

    def __init__(self, store: Store, *, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._dead: OrderedDict[bytes, None] = OrderedDict()

    def read(self, path: str) -> Key:
        """What a path names, without the store: Gone if known to be dead, NoSuchFeed if it is nothing."""
        found = _PATH.fullmatch(path)
        if found is None:
            raise NoSuchFeed
        if (digest := _digest(found["token"])) in self._dead:
            self._dead.move_to_end(digest)
            raise gone()
        return Key(token=found["token"], suffix=cast(Suffix, found["suffix"]))

    async def asked(self, key: Key, query: bytes) -> Asked:
        """The feed it leads to. Gone once it is dead, NoSuchFeed where there never was one."""
        token, now = key.token, self._clock.now()
        lead = await self._store.glancing(lambda c: saved_feeds.find_address(c, token, now=now))
        if lead is None:
            raise NoSuchFeed
        if lead.ended:
            self._bury(_digest(token))
            raise gone()
        return saved.asked(
            lead.document,
            key.suffix,
            query,
            feed=lead.feed,
            version=lead.version,
            moved=_moved(lead),
        )

    def _bury(self, digest: bytes) -> None:
        self._dead[digest] = None
        if len(self._dead) > MOST_DEAD:
            self._dead.popitem(last=False)


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()


def gone() -> Gone:
    return Gone("This address of a feed is no longer in use. Ask whoever gave it to you for the new one.")


def _moved(lead: Lead) -> Moved | None:
    if lead.replaced_at is None or lead.ends_at is None:
        return None
    return Moved(since=lead.replaced_at, until=lead.ends_at)
