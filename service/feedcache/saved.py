"""Saved feeds: validated strictly when one is made or changed, read leniently when it is fetched.

Programs disable a calendar on a 4xx, so what a later version no longer knows is left out and named.
"""

import re
import unicodedata
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, cast
from urllib.parse import quote, urlencode

import msgspec

from service.catalogue import filters, validation
from service.catalogue.event import Language, Text
from service.catalogue.saved_feed import NewSavedFeed, PatchSavedFeed, SavedFeed
from service.catalogue.validation import Fault, Invalid, refuse
from service.clock import Clock
from service.errors import Gone, NoSuchFeed
from service.feedcache.request import (
    OPTIONS,
    PRIVATE_FOLDER,
    FeedRequest,
    Moved,
    Options,
    Pairs,
    SavedFeedRef,
    Suffix,
    parse_parameters,
    split_query,
)
from service.store import saved_feeds
from service.store.engine import Store

LONGEST_NAME = 200
LONGEST_FILE_NAME = 60
# Google refuses addresses of over 256 characters without a word, and an escaped Korean letter has nine.
LONGEST_ADDRESS_NAME = 20
# The file name of a feed whose own name has no letter or digit.
UNNAMED = "calendar"
MOST_DEAD = 10_000

_PATH = re.compile(
    rf"{PRIVATE_FOLDER}(?P<token>{saved_feeds.ADDRESS_PATTERN})/[^/]{{1,300}}\.(?P<suffix>ics|json|atom)"
)
_PERIOD_WANTED = "use a period of whole years, months, weeks or days up to 20 years, such as P18M or P30D"
_WANTED = {
    "alarms": "use a length of whole weeks, days, hours or minutes up to 90 days, such as P7D or PT2H",
    "past": _PERIOD_WANTED,
    "ahead": _PERIOD_WANTED,
}


class _LenientFeed(msgspec.Struct, frozen=True, kw_only=True):
    """A stored feed as fetching reads it: filters and options may be such as this version does not know."""

    name: Text
    lang: Language
    filter: dict[str, Any]
    options: dict[str, Any]


_LENIENT_FEEDS = msgspec.json.Decoder(_LenientFeed)


def created(body: NewSavedFeed, *, feed_id: str, owner: str, now: datetime) -> SavedFeed:
    """Returns the saved feed a request asks for. Raises Invalid with every fault at once."""
    feed = SavedFeed(
        id=feed_id,
        owner=owner,
        name=_text(body.name, body.lang),
        lang=body.lang,
        filter=body.filter,
        options=body.options,
        created_at=now,
        updated_at=now,
    )
    return _checked(feed, plain_name=isinstance(body.name, str))


def patched(feed: SavedFeed, body: PatchSavedFeed, *, now: datetime) -> SavedFeed:
    """Returns the saved feed after a PATCH, or `feed` itself if nothing changes. Raises Invalid."""
    fields = {name: getattr(body, name) for name in PatchSavedFeed.__struct_fields__}
    changes = {name: value for name, value in fields.items() if value is not msgspec.UNSET}
    if "name" in changes:
        changes["name"] = _text(changes["name"], changes.get("lang", feed.lang))
    after = _checked(msgspec.structs.replace(feed, **changes), plain_name=isinstance(body.name, str))
    return feed if after == feed else msgspec.structs.replace(after, updated_at=now)


def feed_request(
    document: str | bytes, suffix: Suffix, query: bytes = b"", *, feed: str, version: int, moved: Moved | None
) -> FeedRequest:
    """Returns the feed that a stored document comes to with the options of an address.

    Options of the address win: a program that hides cancelled events needs `cancelled=mark`, whoever chose
    the selection. Filters of the address are ignored: the selection is the owner's.
    """
    stored = _LENIENT_FEEDS.decode(document)
    saved = parse_parameters((*_pairs(stored.filter), *_pairs(stored.options)))
    pairs, undecodable = split_query(query)
    options = tuple(pair for pair in pairs if pair[0] in OPTIONS)
    others = [name for name, _ in pairs if name not in OPTIONS]
    given = parse_parameters(options, [*undecodable, *others])
    return FeedRequest(
        lang=stored.lang,
        name="calendar",
        suffix=suffix,
        options=Options(**{**saved.options, **given.options}),
        filters=saved.filters,
        # Dates are stored under it, so the text of these values, Reach(months=1, days=0) too, has to stay.
        query=urlencode(sorted((name, repr(value)) for name, value in given.options.items())),
        ignored=tuple(sorted({*saved.ignored, *given.ignored})),
        saved=SavedFeedRef(id=feed, version=version, name=stored.name, moved=moved),
    )


def public_twin(feed: SavedFeed) -> FeedRequest:
    """Returns the public calendar of the same selection and options, which is as large."""
    stored = _LENIENT_FEEDS.decode(msgspec.json.encode(feed))
    chosen = parse_parameters((*_pairs(stored.filter), *_pairs(stored.options)))
    return FeedRequest(
        lang=feed.lang,
        name="calendar",
        suffix="ics",
        options=Options(**chosen.options),
        filters=chosen.filters,
        query=urlencode(chosen.canonical),
    )


def file_name(name: Text) -> str:
    """Returns the name of a downloaded file: English where there is some, letters of any script otherwise."""
    plain = unicodedata.normalize("NFC", name.en or name.ko or "")
    words = re.findall(r"[^\W_]+", plain.lower())
    return "-".join(words)[:LONGEST_FILE_NAME].strip("-") or UNNAMED


def address_name(name: Text) -> str:
    """Returns the readable end of an address, by which Thunderbird calls the calendar. It is ASCII."""
    words = "-".join(re.findall(r"[a-z0-9]+", (name.en or name.ko or "").lower()))
    return words[:LONGEST_ADDRESS_NAME].strip("-") if re.search("[a-z]", words) else UNNAMED


def address(token: str, name: str, suffix: Suffix) -> str:
    """Returns the path of a private feed. Only the token counts; the name is for people."""
    return f"{PRIVATE_FOLDER}{token}/{quote(name)}.{suffix}"


class Addresses:
    """Looks up private addresses. Used from the event loop only.

    That one is dead is remembered, as programs go on asking for years; that one lives is asked each time.
    """

    def __init__(self, store: Store, *, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._dead: OrderedDict[bytes, None] = OrderedDict()

    def parse(self, path: str) -> tuple[str, Suffix]:
        """Returns token and suffix, without the store. Raises Gone if known to be dead, or NoSuchFeed."""
        match = _PATH.fullmatch(path)
        if match is None:
            raise NoSuchFeed
        if (digest := _digest(match["token"])) in self._dead:
            self._dead.move_to_end(digest)
            raise _gone()
        return match["token"], cast(Suffix, match["suffix"])

    async def look_up(self, token: str, suffix: Suffix, query: bytes) -> FeedRequest:
        """Returns the feed a token leads to. Raises Gone once it is dead, NoSuchFeed if it never was one."""
        now = self._clock.now()
        target = await self._store.aread(lambda c: saved_feeds.find_address(c, token, now=now))
        if target is None:
            raise NoSuchFeed
        if target.ended:
            self._dead[_digest(token)] = None
            if len(self._dead) > MOST_DEAD:
                self._dead.popitem(last=False)
            raise _gone()
        since, until = target.replaced_at, target.ends_at
        moved = Moved(since=since, until=until) if since and until else None
        return feed_request(
            target.document, suffix, query, feed=target.feed, version=target.version, moved=moved
        )


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()


def _gone() -> Gone:
    return Gone("This address of a feed is no longer in use. Ask whoever gave it to you for the new one.")


def _text(name: Text | str, lang: Language) -> Text:
    if isinstance(name, Text):
        return name
    return Text(ko=name) if lang == "ko" else Text(en=name)


def _checked(feed: SavedFeed, *, plain_name: bool) -> SavedFeed:
    """Returns the feed with its name in normal form. Raises Invalid."""
    faults = [*_name_faults(feed.name)]
    if plain_name:
        faults = [msgspec.structs.replace(fault, pointer="/name") for fault in faults]
    try:
        filters.read_filter(feed.filter)
    except Invalid as invalid:
        faults += invalid.faults
    faults += _option_faults(msgspec.to_builtins(feed.options))
    refuse(faults)
    return msgspec.structs.replace(feed, name=validation.normal_form(feed.name))


def _name_faults(name: Text) -> Iterator[Fault]:
    for fault in validation.text_faults(name):
        yield msgspec.structs.replace(fault, pointer=f"/name{fault.pointer}")
    for lang, text in (("ko", name.ko), ("en", name.en)):
        if text is not None and len(text) > LONGEST_NAME:
            yield Fault(pointer=f"/name/{lang}", detail=f"at most {LONGEST_NAME} characters")
        elif text is not None and re.search(r"[\t\n]", text):
            yield Fault(pointer=f"/name/{lang}", detail="a name stands on one line")


def _option_faults(options: Mapping[str, Any]) -> Iterator[Fault]:
    for name, value in options.items():
        several = isinstance(value, list | tuple)
        for index, part in enumerate(value if several else [value]):
            pointer = f"/options/{name}" + (f"/{index}" if several else "")
            try:
                OPTIONS[name](_query_value(part))
            except ValueError:
                yield Fault(pointer=pointer, detail=_WANTED[name])


def _pairs(values: Mapping[str, Any]) -> Pairs:
    """Returns JSON filters or options as the parameters of a query; a list of alarms is one parameter."""
    pairs: list[tuple[str, str]] = []
    for name, value in values.items():
        if name == "alarms" and isinstance(value, list):
            pairs.append((name, ",".join(map(_query_value, value))))
        else:
            pairs += [(name, _query_value(part)) for part in (value if isinstance(value, list) else [value])]
    return tuple(pairs)


def _query_value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
