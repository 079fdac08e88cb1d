"""What each seed said when it was last loaded: by it the next load tells news from curators' changes."""

from collections.abc import Iterable, Mapping

import msgspec
from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.dialects import postgresql

from service.store.references import NOUNS, Noun, Owner
from service.store.sql import many
from service.store.tables import seed

Name = tuple[Noun, str]
TYPES = {kind: type for type, kind in NOUNS.items()}
_ENCODER = msgspec.json.Encoder(order="deterministic")


def read(c: Connection) -> dict[Name, Owner | None]:
    """Every base; None for one in a form that this version cannot read."""
    return {(row.kind, row.id): _decoded(row.kind, row.document) for row in c.execute(select(seed))}


def keep(c: Connection, said: Mapping[Name, Owner]) -> None:
    rows = [
        {"kind": kind, "id": identifier, "document": _ENCODER.encode(noun).decode()}
        for (kind, identifier), noun in said.items()
    ]
    if rows:
        c.execute(_PUT, rows)


def forget(c: Connection, names: Iterable[Name]) -> None:
    rows = [{"the_kind": kind, "the_id": identifier} for kind, identifier in names]
    many(c, _DELETE, rows)


def _decoded(kind: Noun, document: str) -> Owner | None:
    """A base from before this table is the document of a revision, which has derived fields besides."""
    said = msgspec.json.decode(document)
    names = TYPES[kind].__struct_fields__  # type: ignore[attr-defined]
    try:
        return msgspec.convert({name: said[name] for name in names if name in said}, TYPES[kind])
    except msgspec.ValidationError:
        return None


_ROW = postgresql.insert(seed)
_PUT = _ROW.on_conflict_do_update(index_elements=["kind", "id"], set_={"document": _ROW.excluded.document})
_DELETE = delete(seed).where(seed.c.kind == bindparam("the_kind"), seed.c.id == bindparam("the_id"))
