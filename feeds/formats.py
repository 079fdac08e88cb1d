"""The one table of feed formats. A new format is a module with `render` and `assemble`, and a line here."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from feeds import atom, ical, jsonfeed
from feeds.entry import Entry, Feed, Fragment, Profile


class Render(Protocol):
    def __call__(self, entry: Entry, /, *, profile: Profile) -> Fragment | None: ...


class Assemble(Protocol):
    def __call__(self, feed: Feed, bodies: Sequence[bytes], /, *, zones: frozenset[str]) -> bytes: ...


class Format(msgspec.Struct, frozen=True):
    """`render` is run once an entry and its bytes are kept; `assemble` only joins."""

    media_type: str
    render: Render
    assemble: Assemble


FORMATS = {
    "ics": Format("text/calendar; charset=utf-8", ical.render, ical.assemble),
    "json": Format("application/feed+json; charset=utf-8", jsonfeed.render, jsonfeed.assemble),
    "atom": Format("application/atom+xml; charset=utf-8", atom.render, atom.assemble),
}


def document(suffix: str, feed: Feed, entries: Sequence[Entry], *, profile: Profile = "plain") -> bytes:
    """A whole feed from entries: render each, sort, join. Services that keep fragments call the parts."""
    form = FORMATS[suffix]
    rendered = [form.render(entry, profile=profile) for entry in entries]
    fragments = sorted((f for f in rendered if f is not None), key=lambda fragment: fragment.order)
    zones = frozenset(fragment.zone for fragment in fragments if fragment.zone)
    return form.assemble(feed, [fragment.body for fragment in fragments], zones=zones)
