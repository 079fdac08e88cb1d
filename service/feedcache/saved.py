"""Saved feeds: strict when one is made or changed, forgiving when it is fetched.

Programs disable a calendar on a 4xx, so what a later version no longer knows is left out, and named.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import msgspec

from service.catalogue import filters, validation
from service.catalogue.event import Language, Text
from service.catalogue.saved_feed import NewSavedFeed, PatchSavedFeed, SavedFeed
from service.catalogue.validation import Fault, Invalid, refuse
from service.feedcache.asked import Asked, Moved, Saved, Suffix, choose, read_query
from service.feedcache.options import OPTIONS, Options, Pairs

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
