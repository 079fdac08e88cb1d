"""Events over HTTP: lists by filter, and one event read, made, replaced, patched and deleted."""

from typing import Any

from litestar import Response, delete, get, patch, post, put

from service.api import answers, bodies, echo, edits
from service.api.answers import Page
from service.api.call import Call
from service.api.edits import Edit
from service.api.filtering import LIST_PARAMETERS, filters_of, sort_of
from service.api.identifiers import new_event_id
from service.api.operations import CAUSE_PARAMETER, LANG_PARAMETER, operation
from service.api.shapes import EventBody, EventPatch, NewEvent
from service.catalogue.event import Event
from service.catalogue.view import View
from service.errors import At, Conflict, Unprocessable
from service.store import events, listing
from service.store.listing import Position

READ: dict[str, Any] = {"tag": "Events", "cached": True}
WRITE: dict[str, Any] = {
    "tag": "Events",
    "scope": "catalogue",
    "parameters": (CAUSE_PARAMETER,),
    "problems": (Conflict,),
}


@get(
    "/v1/events",
    opt=operation("List events", parameters=LIST_PARAMETERS, answers={200: Page[View]}, **READ),
)
async def listed(request: Call) -> Response[bytes]:
    """Events that match every filter, in order, one page at a time."""
    filters, sort = filters_of(request.pairs), sort_of(request.pairs)
    limit, after, lang, now = request.limit, request.after(Position), request.lang, request.now
    found = await request.service.store.reading(
        lambda c: listing.listed(c, filters, now=now, sort=sort, limit=limit, after=after)
    )
    page = answers.page((stored.body(now) for stored in found.items), request.cursor(found.next), lang=lang)
    return request.shown(page)


@get(
    "/v1/events/{event_id:str}",
    opt=operation("Show an event", parameters=(LANG_PARAMETER,), answers={200: View}, **READ),
)
async def show(request: Call, event_id: str) -> Response[bytes]:
    """One event with its evidence and everything that follows from it."""
    lang = request.lang
    stored = await request.service.store.reading(lambda c: events.get(c, event_id))
    return request.shown(edits.shown(stored, now=request.now, lang=lang))


@post(
    "/v1/events",
    opt=operation("Make an event", body=NewEvent, answers={201: View}, once=True, **WRITE),
)
async def create(request: Call) -> Response[bytes]:
    """Make an event under an id of our making. To choose the id, PUT the event to it."""
    written = echo.taken_apart(await request.json())
    if isinstance(written.fields, dict) and "id" in written.fields:
        fault = At(detail="This makes an id itself; PUT /v1/events/{id} takes yours.", pointer="/id")
        raise Unprocessable(errors=[fault])
    event = bodies.convert(_named(written.fields, new_event_id()), Event)
    edit = Edit(id=event.id, derived=written.derived, now=request.now, cause=request.cause)
    return await request.write(lambda c: edits.save(c, edit, event))


@put(
    "/v1/events/{event_id:str}",
    opt=operation(
        "Create or replace an event", body=EventBody, answers={200: View, 201: View}, guarded=True, **WRITE
    ),
)
async def replace(request: Call, event_id: str) -> Response[bytes]:
    """Create (201) or replace (200) the event. A write that changes nothing makes no revision."""
    written = echo.taken_apart(await request.json())
    event = bodies.convert(_named(written.fields, event_id), Event)
    return await request.write(lambda c: edits.save(c, _edit(request, event_id, written.derived), event))


@patch(
    "/v1/events/{event_id:str}",
    opt=operation("Change an event", body=EventPatch, answers={200: View}, guarded=True, **WRITE),
)
async def change(request: Call, event_id: str) -> Response[bytes]:
    """A JSON Merge Patch (RFC 7396): null takes a field away, objects merge, lists are replaced whole."""
    written = echo.taken_apart(await request.json())
    patched = _named(written.fields, event_id)
    return await request.write(lambda c: edits.apply(c, _edit(request, event_id, written.derived), patched))


@delete(
    "/v1/events/{event_id:str}",
    status_code=204,
    opt=operation("Delete an event", answers={204: None}, guarded=True, **WRITE),
)
async def remove(request: Call, event_id: str) -> Response[bytes]:
    """Delete the event. `/v1/changes` and the event's revisions keep saying that it was there."""
    return await request.write(lambda c: edits.remove(c, _edit(request, event_id, {})))


def _edit(request: Call, event_id: str, derived: Any) -> Edit:
    return Edit(
        id=event_id,
        derived=derived,
        now=request.now,
        cause=request.cause,
        precondition=request.precondition,
    )


def _named(fields: Any, event_id: str) -> Any:
    """The body under the id of its path; it may repeat it, but not contradict it."""
    if not isinstance(fields, dict):
        return fields
    if fields.get("id", event_id) != event_id:
        raise Unprocessable(errors=[At(detail=f"The path says {event_id!r}.", pointer="/id")])
    return {"id": event_id, **fields}


HANDLERS = (listed, show, create, replace, change, remove)
