"""Reads the names behind the ids that events mention, and of the groups that have feeds of their own."""

from collections.abc import Iterable
from typing import Literal

import msgspec
from sqlalchemy import Connection, bindparam, select

from service.catalogue.entries import Named, NounName
from service.catalogue.event import Text
from service.store.sql import among, instant
from service.store.tables import event, noun

Group = Literal["series", "program", "organization"]
GROUPS: tuple[Group, ...] = ("series", "program", "organization")
AT_ONCE = 500

Name = tuple[NounName, str]


class _Naming(msgspec.Struct, frozen=True):
    """The part of a document that names the thing; sources have titles."""

    name: Text | None = None
    title: str | None = None
    url: str | None = None


_NAMINGS = msgspec.json.Decoder(_Naming)


def named(c: Connection, wanted: Iterable[Name], *, uid_domain: str) -> dict[Name, Named]:
    """Returns the names of those that exist; events with their UID in calendars."""
    names: dict[Name, Named] = {}
    wanted = list(wanted)
    for first in range(0, len(wanted), AT_ONCE):
        part = wanted[first : first + AT_ONCE]
        event_ids = [identifier for kind, identifier in part if kind == "event"]
        other_ids = [identifier for kind, identifier in part if kind != "event"]
        for row in c.execute(_EVENTS, {"ids": event_ids}) if event_ids else ():
            names["event", row.id] = _named(row.document, row.updated_at, uid=f"{row.uid}@{uid_domain}")
        for row in c.execute(_NOUNS, {"ids": other_ids}) if other_ids else ():
            names[row.kind, row.id] = _named(row.document, row.updated_at)
    return {name: names[name] for name in wanted if name in names}


def group(c: Connection, identifier: str) -> tuple[Group, Text] | None:
    """Returns the kind and name of the series, program or organization of this id, the first that exists.

    An id is given once among them, but older versions let two in.
    """
    documents = {row.kind: row.document for row in c.execute(_GROUP, {"id": identifier})}
    for kind in GROUPS:
        if kind in documents:
            return kind, _NAMINGS.decode(documents[kind]).name or Text()
    return None


def groups(c: Connection) -> tuple[tuple[Group, str], ...]:
    """Returns all that have feeds of their own, in order of kind and id."""
    return tuple((row.kind, row.id) for row in c.execute(_ALL))


def _named(document: str, updated_at: int, *, uid: str | None = None) -> Named:
    naming = _NAMINGS.decode(document)
    name = naming.name or Text(ko=naming.title)
    return Named(name=name, updated_at=instant(updated_at), uid=uid, url=naming.url)


_EVENTS = select(event.c.id, event.c.uid, event.c.document, event.c.updated_at).where(
    among(event.c.id), event.c.visibility == "public"
)
_NOUNS = select(noun.c.kind, noun.c.id, noun.c.document, noun.c.updated_at).where(
    noun.c.kind.in_(["organization", "source"]), among(noun.c.id)
)
_GROUP = select(noun.c.kind, noun.c.document).where(noun.c.id == bindparam("id"), noun.c.kind.in_(GROUPS))
_ALL = select(noun.c.kind, noun.c.id).where(noun.c.kind.in_(GROUPS)).order_by(noun.c.kind, noun.c.id)
