"""Entries as Atom (RFC 4287), one entry a calendar line, newest change first."""

from collections.abc import Sequence
from urllib.parse import quote

from feeds.entry import Entry, Feed, Fragment, Profile
from feeds.jsonfeed import instant, newest_first
from feeds.text import link, markup, one_line

GENERATOR = "Dday"


def render(entry: Entry, *, profile: Profile) -> Fragment:
    """One <entry>; the id is the UID as an URN-like URI, so it survives a move of the host."""
    parts = [
        "<entry>",
        f"<id>{_identifier(entry.uid)}</id>",
        f"<title>{markup(one_line(entry.title))}</title>",
        f"<published>{instant(entry.created)}</published>",
        f"<updated>{instant(entry.updated)}</updated>",
        *(
            f'<link rel="alternate" type="text/html" href="{markup(url)}"/>'
            for url in [link(entry.url)]
            if url
        ),
        *(f"<author><name>{markup(one_line(body.name))}</name></author>" for body in entry.organizers),
        *(f'<category term="{markup(word)}"/>' for word in map(one_line, entry.categories) if word),
        f"<summary>{markup(one_line(entry.when))}</summary>" if entry.when else "",
        f'<content type="text">{markup(entry.description).strip()}</content>',
        "</entry>",
    ]
    return Fragment(body="\n".join(filter(None, parts)).encode() + b"\n", order=newest_first(entry))


def assemble(feed: Feed, bodies: Sequence[bytes], *, zones: frozenset[str]) -> bytes:
    """The feed around its entries. The author is the feed's: RFC 4287 wants one where an entry has none."""
    parts = [
        '<?xml version="1.0" encoding="utf-8"?>',
        f'<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="{feed.language}">',
        f"<id>{_identifier(feed.uid)}</id>",
        f"<title>{markup(one_line(feed.title))}</title>",
        f"<subtitle>{markup(one_line(feed.description))}</subtitle>",
        f"<updated>{instant(feed.modified)}</updated>",
        *(
            f'<link rel="self" type="application/atom+xml" href="{markup(url)}"/>'
            for url in [link(feed.url)]
            if url
        ),
        f'<link rel="alternate" type="text/html" href="{markup(link(feed.page) or "")}"/>',
        f"<author><name>{GENERATOR}</name></author>",
        f"<generator>{GENERATOR}</generator>",
    ]
    head = "\n".join(parts).encode() + b"\n"
    return b"".join([head, *bodies, b"</feed>\n"])


def _identifier(uid: str) -> str:
    return "urn:dday:" + markup(quote(uid, safe="@.-_~"))
