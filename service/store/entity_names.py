"""What the things are called that events name: for feeds, which tell people and not ids."""

from collections.abc import Iterable
from typing import Literal

import msgspec
from sqlalchemy import Connection, bindparam, select

from service.catalogue.entries import Named, NounName
from service.catalogue.event import Text
from service.store.tables import event, noun
from service.store.timestamps import instant

Group = Literal["series", "program", "organization"]
GROUPS: tuple[Group, ...] = ("series", "program", "organization")
AT_ONCE = 500

Name = tuple[NounName, str]


class _Called(msgspec.Struct, frozen=True):
    """As much of a document as says what it is called; sources have titles."""

    name: Text | None = None
    title: str | None = None
    url: str | None = None


_CALLED = msgspec.json.Decoder(_Called)


def named(c: Connection, wanted: Iterable[Name], *, uid_domain: str) -> dict[Name, Named]:
    """Those of them that exist, events with their UID in calendars."""
    found: dict[Name, Named] = {}
    asked = list(wanted)
    for first in range(0, len(asked), AT_ONCE):
        part = asked[first : first + AT_ONCE]
        events = [identifier for kind, identifier in part if kind == "event"]
        others = [identifier for kind, identifier in part if kind != "event"]
        for row in c.execute(_EVENTS, {"ids": events}) if events else ():
            found["event", row.id] = _named(row.document, row.updated_at, uid=f"{row.uid}@{uid_domain}")
        for row in c.execute(_NOUNS, {"ids": others}) if others else ():
            found[row.kind, row.id] = _named(row.document, row.updated_at)
    return {name: found[name] for name in asked if name in found}


def group(c: Connection, identifier: str) -> tuple[Group, Text] | None:
    """The series, program or organization of this id, the first that there is."""
    return called(c, [identifier]).get(identifier)


def called(c: Connection, identifiers: Iterable[str]) -> dict[str, tuple[Group, Text]]:
    """`group` for each of them that names one."""
    rows = {(row.kind, row.id): row.document for row in c.execute(_GROUP, {"ids": list(identifiers)})}
    found: dict[str, tuple[Group, Text]] = {}
    for kind, identifier in sorted(rows, key=lambda key: GROUPS.index(key[0])):
        name = _CALLED.decode(rows[kind, identifier]).name or Text()
        found.setdefault(identifier, (kind, name))
    return found


def groups(c: Connection) -> tuple[tuple[Group, str], ...]:
    """Everything that has a feed of its own, in order of kind and id."""
    return tuple((row.kind, row.id) for row in c.execute(_ALL))


def _named(document: str, updated_at: int, *, uid: str | None = None) -> Named:
    called = _CALLED.decode(document)
    name = called.name or Text(ko=called.title)
    return Named(name=name, updated_at=instant(updated_at), uid=uid, url=called.url)


_EVENTS = select(event.c.id, event.c.uid, event.c.document, event.c.updated_at).where(
    event.c.id.in_(bindparam("ids", expanding=True))
)
_NOUNS = select(noun.c.kind, noun.c.id, noun.c.document, noun.c.updated_at).where(
    noun.c.kind.in_(["organization", "source"]), noun.c.id.in_(bindparam("ids", expanding=True))
)
_GROUP = select(noun.c.kind, noun.c.id, noun.c.document).where(
    noun.c.id.in_(bindparam("ids", expanding=True)), noun.c.kind.in_(GROUPS)
)
_ALL = select(noun.c.kind, noun.c.id).where(noun.c.kind.in_(GROUPS)).order_by(noun.c.kind, noun.c.id)
