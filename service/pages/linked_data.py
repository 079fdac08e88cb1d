"""The schema.org node of an event page: the calendar entry, with nothing in it that nobody stated.

A calendar shows a block where no end is known and a half hour for a deadline; a search engine must not.
"""

from datetime import date, datetime, timedelta

import msgspec

from feeds import jsonld
from feeds.entry import Entry
from service.catalogue import dates, entry_times
from service.catalogue.dates import Edtf
from service.catalogue.entries import STATES, Around, Style, entries
from service.catalogue.event import Event, Language
from service.catalogue.view import Document
from service.catalogue.vocabulary import pick

DAY = timedelta(days=1)


def node(
    document: Document, *, uid: str, around: Around, parent: Document | None, lang: Language, base_url: str
) -> str:
    """JSON that is safe inside a <script>."""
    entry = _entry(document, uid=uid, around=around, lang=lang, base_url=base_url)
    above = _entry(parent, uid=uid, around={}, lang=lang, base_url=base_url) if parent else None
    return jsonld.render(entry, super_event=above).decode()


def _entry(document: Document, *, uid: str, around: Around, lang: Language, base_url: str) -> Entry:
    style = Style(lang=lang, base_url=base_url, windows="bar")
    entry = entries(document, uid=uid, around=around, style=style)[0]
    dated = entry_times.last_dates(document) if document.status in STATES else document
    start, end = entry_times.start_of(dated), entry_times.end_of(dated)
    last = _moment(dated, end)
    return msgspec.structs.replace(
        entry,
        title=pick(document.name, lang),
        description=pick(document.summary, lang) if document.summary else "",
        start=_moment(dated, start),
        # A day that ends an entry lies within it here, and without it there.
        end=last + DAY if last is not None and not isinstance(last, datetime) else last,
        zone=document.timezone,
    )


def _moment(event: Event, edtf: Edtf | None) -> date | None:
    """A day, or a minute as an instant; nothing coarser."""
    if edtf is None or not entry_times.is_exact(edtf):
        return None
    return edtf.first if edtf.minute is None else dates.bounds(edtf, dates.zone(event.timezone)).latest
