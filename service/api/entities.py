"""Series, programs, organizations and sources over HTTP: four nouns, one set of handlers."""

from typing import Any

import msgspec
from litestar import Response, delete, get, put
from litestar.params import FromPath
from sqlalchemy import Connection

from service.api import event_edits, json_body, responses
from service.api.event_edits import Edit, StoredFields, named
from service.api.operations import CAUSE_PARAMETER, PAGING_PARAMETERS, route
from service.api.request import Call
from service.api.responses import ApiResponse, StoredVersion
from service.api.shapes import BODIES, VIEWS, page_of
from service.catalogue import validation
from service.errors import Conflict
from service.store import entities, locks
from service.store.entities import TYPES, Noun, NounKind, StoredNoun


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """One noun: its path, and its words in summaries."""

    kind: NounKind
    path: str
    one: str
    tag: str


ROOMS = (
    Room(kind="series", path="/v1/series", one="a series", tag="Series"),
    Room(kind="program", path="/v1/programs", one="a program", tag="Programs"),
    Room(kind="organization", path="/v1/organizations", one="an organization", tag="Organizations"),
    Room(kind="source", path="/v1/sources", one="a source", tag="Sources"),
)


def _list(room: Room) -> Any:
    @get(
        room.path,
        **route(
            f"List {room.tag.lower()}",
            tag=room.tag,
            parameters=PAGING_PARAMETERS,
            answers={200: page_of(VIEWS[room.kind])},
            cached=True,
        ),
    )
    async def listed(request: Call) -> Response[bytes]:
        """All of them in order of id, one page at a time."""
        limit, after = request.paging(str)
        found = await request.service.store.aread(
            lambda c: entities.listed(c, room.kind, limit=limit, after=after)
        )
        return request.shown(
            responses.page((stored.body() for stored in found.items), request.cursor(found.next))
        )

    return listed


def _show(room: Room) -> Any:
    @get(
        f"{room.path}/{{noun_id:str}}",
        **route(f"Show {room.one}", tag=room.tag, answers={200: VIEWS[room.kind]}, cached=True),
    )
    async def show(request: Call, noun_id: FromPath[str]) -> Response[bytes]:
        """One of them, as it was written, with its revision."""
        return request.shown(
            _shown(await request.service.store.aread(lambda c: entities.get(c, room.kind, noun_id)))
        )

    return show


def _replace(room: Room) -> Any:
    @put(
        f"{room.path}/{{noun_id:str}}",
        **route(
            f"Create or replace {room.one}",
            tag=room.tag,
            scope="catalogue",
            parameters=(CAUSE_PARAMETER,),
            body=BODIES[room.kind],
            answers={200: VIEWS[room.kind], 201: VIEWS[room.kind]},
            guarded=True,
        ),
    )
    async def replace(request: Call, noun_id: FromPath[str]) -> Response[bytes]:
        """Create (201) or replace (200) it. A write that changes nothing makes no revision."""
        written = event_edits.taken_apart(await request.json(), StoredFields)
        edit = request.edit(noun_id, written.derived)
        noun = validation.check_noun(json_body.convert(named(written.fields, noun_id), TYPES[room.kind]))
        return await request.write(lambda c: _save(c, edit, room, noun))

    return replace


def _remove(room: Room) -> Any:
    @delete(
        f"{room.path}/{{noun_id:str}}",
        **route(
            f"Delete {room.one}",
            tag=room.tag,
            scope="catalogue",
            parameters=(CAUSE_PARAMETER,),
            answers={204: None},
            problems=(Conflict,),
            guarded=True,
        ),
    )
    async def remove(request: Call, noun_id: FromPath[str]) -> Response[bytes]:
        """Delete it, unless something still names it: then the answer is a 409 that says what."""
        edit = request.edit(noun_id)
        return await request.write(lambda c: _delete(c, edit, room))

    return remove


def _save(c: Connection, edit: Edit, room: Room, noun: Noun) -> ApiResponse:
    current = _current(c, edit, room)
    event_edits.check_noun(edit.derived, sent=current.body() if current else None)
    saved = entities.put(c, noun, now=edit.now, cause=edit.cause)
    if saved.outcome == "created":
        return responses.located(_shown(saved.stored, status=201), f"{room.path}/{edit.id}")
    return _shown(saved.stored)


def _delete(c: Connection, edit: Edit, room: Room) -> ApiResponse:
    _current(c, edit, room)
    entities.delete(c, room.kind, edit.id, now=edit.now, cause=edit.cause)
    return responses.NO_CONTENT


def _current(c: Connection, edit: Edit, room: Room) -> StoredNoun | None:
    locks.catalogue(c)
    current = entities.find(c, room.kind, edit.id)
    edit.precondition.check(None if current is None else (_shown(current).headers["etag"],))
    return current


def _shown(stored: StoredNoun, *, status: int = 200) -> ApiResponse:
    return responses.item(
        stored.body(), StoredVersion(revision=stored.revision, seq=stored.seq), status=status
    )


HANDLERS = tuple(make(room) for room in ROOMS for make in (_list, _show, _replace, _remove))
