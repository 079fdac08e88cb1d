"""Saved feeds: strict when one is made or changed, forgiving when it is fetched.

Programs disable a calendar on a 4xx, so what a later version no longer knows is left out, and named.
"""

import re
import unicodedata
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, cast
from urllib.parse import quote, urlencode

import msgspec

from feeds.entry import Entry
from service.catalogue import filters, validation
from service.catalogue.event import Language, Text
from service.catalogue.filters import HOME
from service.catalogue.saved_feed import NewSavedFeed, PatchSavedFeed, SavedFeed
from service.catalogue.validation import Fault, Invalid, refuse
from service.catalogue.vocabulary import LocalizedText, pick
from service.clock import Clock
from service.errors import Gone, NoSuchFeed
from service.feedcache.request import OPTIONS, Asked, Moved, Options, Pairs, Saved, Suffix, choose, read_query
from service.store import saved_feeds
from service.store.engine import Store
from service.store.saved_feeds import Lead

LONGEST_NAME = 200
LONGEST_FILE_NAME = 60
# Names a feed whose own name has no letter or digit.
UNNAMED = "calendar"


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A stored feed as fetching reads it: nothing but its name and language has to be understood."""

    name: Text
    lang: Language
    filter: dict[str, Any]
    options: dict[str, Any]


_KEPT = msgspec.json.Decoder(_Kept)


def created(body: NewSavedFeed, *, feed_id: str, owner: str, now: datetime) -> SavedFeed:
    """The saved feed a request asks for; raises Invalid with every fault at once."""
    made = SavedFeed(
        id=feed_id,
        owner=owner,
        name=_text(body.name, body.lang),
        lang=body.lang,
        filter=body.filter,
        options=body.options,
        created_at=now,
        updated_at=now,
    )
    return _checked(made, plain=isinstance(body.name, str))


def patched(feed: SavedFeed, body: PatchSavedFeed, *, now: datetime) -> SavedFeed:
    """The saved feed after a PATCH; itself if nothing changes."""
    wanted = {name: getattr(body, name) for name in PatchSavedFeed.__struct_fields__}
    news = {name: value for name, value in wanted.items() if value is not msgspec.UNSET}
    if "name" in news:
        news["name"] = _text(news["name"], news.get("lang", feed.lang))
    after = _checked(msgspec.structs.replace(feed, **news), plain=isinstance(body.name, str))
    return feed if after == feed else msgspec.structs.replace(after, updated_at=now)


def file_name(name: Text) -> str:
    """The readable end of an address: Thunderbird calls the calendar by it.

    English where there is some, as it needs no escapes; letters of any script otherwise.
    """
    plain = unicodedata.normalize("NFC", name.en or name.ko or "")
    words = re.findall(r"[^\W_]+", plain.lower())
    return "-".join(words)[:LONGEST_FILE_NAME].strip("-") or UNNAMED


def asked(
    document: str | bytes, suffix: Suffix, query: bytes = b"", *, feed: str, version: int, moved: Moved | None
) -> Asked:
    """The feed that a stored document and the options of an address come to.

    Options of the address win: a program that takes cancelled events away needs `cancelled=mark`, whoever
    chose the selection. The selection is the owner's, so filters in an address are ignored.
    """
    kept = _KEPT.decode(document)
    own = choose((*_pairs(kept.filter), *_pairs(kept.options)))
    pairs, unreadable = read_query(query)
    options = [pair for pair in pairs if pair[0] in OPTIONS]
    foreign = [name for name, _ in pairs if name not in OPTIONS]
    theirs = choose(tuple(options), [*unreadable, *foreign])
    return Asked(
        lang=kept.lang,
        name="calendar",
        suffix=suffix,
        options=Options(**{**own.options, **theirs.options}),
        filters=own.filters,
        query=urlencode(sorted((name, repr(value)) for name, value in theirs.options.items())),
        ignored=tuple(sorted({*own.ignored, *theirs.ignored})),
        saved=Saved(id=feed, version=version, name=kept.name, moved=moved),
    )


def _text(name: Text | str, lang: Language) -> Text:
    if isinstance(name, Text):
        return name
    return Text(ko=name) if lang == "ko" else Text(en=name)


def _checked(feed: SavedFeed, *, plain: bool) -> SavedFeed:
    faults = [
        msgspec.structs.replace(fault, pointer="/name") if plain else fault
        for fault in _name_faults(feed.name)
    ]
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
                OPTIONS[name](_spelt(part))
            except ValueError:
                yield Fault(pointer=pointer, detail=_WANTED[name])


_PERIOD = "use a period of whole years, months, weeks or days up to 20 years, such as P18M or P30D"
_WANTED = {
    "alarms": "use a length of whole weeks, days, hours or minutes up to 90 days, such as P7D or PT2H",
    "past": _PERIOD,
    "ahead": _PERIOD,
}


def _pairs(values: Mapping[str, Any]) -> Pairs:
    """JSON filters and options as the parameters of a query; a list of alarms is one parameter."""
    pairs: list[tuple[str, str]] = []
    for name, value in values.items():
        if name == "alarms" and isinstance(value, list):
            pairs.append((name, ",".join(map(_spelt, value))))
        else:
            pairs += [(name, _spelt(part)) for part in (value if isinstance(value, list) else [value])]
    return tuple(pairs)


def _spelt(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# FOLDED service/feedcache/private.py: Private addresses: what a token leads to. Whether it still does is asked of the store whenever a copy is to
# FOLDED service/feedcache/private.py: be made or may be out of date; that one is dead is remembered, as programs go on asking for years.
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
        lead = await self._store.aread(lambda c: saved_feeds.find_address(c, token, now=now))
        if lead is None:
            raise NoSuchFeed
        if lead.ended:
            self._bury(_digest(token))
            raise gone()
        return asked(
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


# FOLDED service/feedcache/moved.py: The entry that an address bears once another stands in its place: over every day until it is dead.
# FOLDED service/feedcache/moved.py:
# FOLDED service/feedcache/moved.py: It does not say where the feed has moved to. Whoever has the old address may have it because it leaked.
TITLE = LocalizedText(ko="이 캘린더의 주소가 바뀌었습니다", en="This feed has moved")
ABOUT = LocalizedText(
    ko="이 주소는 {}까지만 쓸 수 있습니다. 주소를 알려 준 사람에게 새 주소를 물어보세요.",
    en="This address works until {}. Ask whoever gave it to you for the new one.",
)


def notice(saved: Saved, lang: Language, *, uid_domain: str) -> Entry | None:
    """The entry, if the address asked for was replaced.

    Another end makes another entry: no program can keep the old one.
    """
    if saved.moved is None:
        return None
    first, last = (moment.astimezone(HOME).date() for moment in (saved.moved.since, saved.moved.until))
    return Entry(
        uid=f"moved-{last:%Y%m%d}-{saved.id}@{uid_domain}",
        sequence=0,
        created=saved.moved.since,
        updated=saved.moved.since,
        title=pick(TITLE, lang),
        start=first,
        end=last + timedelta(days=1),
        when=f"~ {last.isoformat()}",
        description=pick(ABOUT, lang).format(last.isoformat()),
        language=lang,
    )
