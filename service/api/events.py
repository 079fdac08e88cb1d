"""Events over HTTP: lists by filter, and one event read, made, replaced, patched and deleted."""

from typing import Any

import msgspec
from litestar import Response, delete, get, patch, post, put
from litestar.params import FromPath

from service.api import event_edits, json_body, queries, responses
from service.api.event_edits import named, new_event_id
from service.api.operations import CAUSE_PARAMETER, LANG_PARAMETER, route
from service.api.queries import LIST_PARAMETERS, filters_of, sort_of
from service.api.request import Call
from service.api.responses import Page
from service.api.shapes import EventBody, EventPatch, NewEvent
from service.catalogue.event import Event
from service.catalogue.view import View
from service.errors import At, Conflict, Unprocessable
from service.store import events, listing
from service.store.listing import Position

READ: dict[str, Any] = {"tag": "Events", "cached": True, "more_with": "catalogue"}
WRITE: dict[str, Any] = {
    "tag": "Events",
    "scope": "catalogue",
    "parameters": (CAUSE_PARAMETER,),
    "problems": (Conflict,),
}


@get(
    "/v1/events",
    **route("List events", parameters=LIST_PARAMETERS, answers={200: Page[View]}, **READ),
)
async def listed(request: Call) -> Response[bytes]:
    """Events that match every filter, in order, one page at a time."""
    pairs, now = request.pairs, request.now
    filters, visibility, sort, (limit, after), lang = queries.together(
        lambda: filters_of(pairs),
        lambda: queries.visibility_of(pairs),
        lambda: sort_of(pairs),
        lambda: request.paging(Position),
        lambda: request.lang,
    )
    full, chosen = request.curates, msgspec.structs.replace(filters, visibility=request.allowed(visibility))
    found = await request.service.store.aread(
        lambda c: listing.listed(c, chosen, now=now, sort=sort, limit=limit, after=after, full=full)
    )
    page = responses.page((stored.body(now) for stored in found.items), request.cursor(found.next), lang=lang)
    return request.shown(page)


@get(
    "/v1/events/{event_id:str}",
    **route("Show an event", parameters=(LANG_PARAMETER,), answers={200: View}, **READ),
)
async def show(request: Call, event_id: FromPath[str]) -> Response[bytes]:
    """One event with its evidence and everything that follows from it."""
    lang = request.lang
    full = request.curates
    stored = await request.service.store.aread(lambda c: events.get(c, event_id, full=full))
    return request.shown(event_edits.shown(stored, now=request.now, lang=lang))


@post(
    "/v1/events",
    **route("Make an event", body=NewEvent, answers={201: View}, once=True, **WRITE),
)
async def create(request: Call) -> Response[bytes]:
    """Make an event under an id of our making. To choose the id, PUT the event to it."""
    written = event_edits.taken_apart(await request.json())
    if isinstance(written.fields, dict) and "id" in written.fields:
        fault = At(detail="This makes an id itself; PUT /v1/events/{id} takes yours.", pointer="/id")
        raise Unprocessable(errors=[fault])
    event = json_body.convert(named(written.fields, new_event_id()), Event)
    edit = request.edit(event.id, written.derived)
    return await request.write(
        lambda c: event_edits.save(c, edit, event, says_status="status" in written.fields)
    )


@put(
    "/v1/events/{event_id:str}",
    **route(
        "Create or replace an event", body=EventBody, answers={200: View, 201: View}, guarded=True, **WRITE
    ),
)
async def replace(request: Call, event_id: FromPath[str]) -> Response[bytes]:
    """Create (201) or replace (200) the event. A write that changes nothing makes no revision."""
    written = event_edits.taken_apart(await request.json())
    event = json_body.convert(named(written.fields, event_id), Event)
    edit = request.edit(event_id, written.derived)
    return await request.write(
        lambda c: event_edits.save(c, edit, event, says_status="status" in written.fields)
    )


@patch(
    "/v1/events/{event_id:str}",
    **route("Change an event", body=EventPatch, answers={200: View}, guarded=True, **WRITE),
)
async def change(request: Call, event_id: FromPath[str]) -> Response[bytes]:
    """A JSON Merge Patch (RFC 7396): null takes a field away, objects merge, lists are replaced whole."""
    written = event_edits.taken_apart(await request.json())
    patched = named(written.fields, event_id)
    edit = request.edit(event_id, written.derived)
    return await request.write(lambda c: event_edits.apply(c, edit, patched))


@delete(
    "/v1/events/{event_id:str}",
    **route("Delete an event", answers={204: None}, guarded=True, **WRITE),
)
async def remove(request: Call, event_id: FromPath[str]) -> Response[bytes]:
    """Delete the event. `/v1/changes` and the event's revisions keep saying that it was there."""
    edit = request.edit(event_id)
    return await request.write(lambda c: event_edits.remove(c, edit))


HANDLERS = (listed, show, create, replace, change, remove)
