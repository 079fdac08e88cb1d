"""What changed: the whole catalogue since a token, and one event from its beginning."""

from datetime import datetime
from typing import Any, Literal

import msgspec
from litestar import Response, get
from litestar.params import FromPath
from sqlalchemy import Connection

from service.api import queries, responses, tokens
from service.api.operations import LIMIT_PARAMETER, PAGING_PARAMETERS, Parameter, route
from service.api.request import Call
from service.api.responses import ApiResponse, Page
from service.api.tokens import LogPlace
from service.catalogue import view, windows
from service.catalogue.view import View
from service.errors import NotFound, TokenExpired
from service.store import events, revisions
from service.store.revisions import Revision
from service.store.stored_event import Stored

TAG = "Changes"
START = LogPlace(0, 0)
SINCE_PARAMETER = Parameter(
    name="since",
    description="`token` of the answer before; without it from the beginning.",
    schema={"type": "string", "maxLength": 300},
)


class FieldChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One field before and after."""

    field: str
    before: Any
    after: Any


class EventRevision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One change of one event: what, from what to what, when and why."""

    seq: int
    revision: int
    op: Literal["put", "delete"]
    changes: tuple[FieldChange, ...]
    cause: str
    at: datetime


class Change(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One change of the catalogue. `event` is the event as of this revision, null for a deletion."""

    seq: int
    id: str
    op: Literal["put", "delete"]
    revision: int
    changed: tuple[str, ...]
    at: datetime
    event: View | None


class Changes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stretch of the log. `more` says that the next stretch is there already."""

    items: tuple[Change, ...]
    token: str
    more: bool


@get(
    "/v1/changes",
    **route(
        "Follow the catalogue",
        tag=TAG,
        parameters=(SINCE_PARAMETER, LIMIT_PARAMETER),
        answers={200: Changes},
        problems=(TokenExpired,),
        cached=True,
        more_with="catalogue",
    ),
)
async def follow(request: Call) -> Response[bytes]:
    """Every change of an event since the token, oldest first. Keep `token` and ask again with it.

    An event that is published appears as a new one, and one that is not public any more as deleted.
    """
    since, limit, now = queries.value(request.pairs, "since"), request.limit, request.now
    instance, full = request.service.store.instance, request.curates
    return await request.read(
        lambda c: _stretch(c, since, instance=instance, limit=limit, now=now, full=full)
    )


@get(
    "/v1/events/{event_id:str}/revisions",
    **route(
        "History of an event",
        tag=TAG,
        parameters=PAGING_PARAMETERS,
        answers={200: Page[EventRevision]},
        cached=True,
        more_with="catalogue",
    ),
)
async def history(request: Call, event_id: FromPath[str]) -> Response[bytes]:
    """What changed, from what to what, when and why, oldest first; also of an event that was deleted."""
    limit, after = request.paging(int)

    def work(c: Connection) -> ApiResponse:
        rows = revisions.of_event(c, event_id, after=after or 0, limit=limit + 1, full=request.curates)
        if not rows and after is None:
            raise NotFound("event", event_id)
        return request.page(rows, _revision, position=lambda row: row.seq)

    return await request.read(work)


def _stretch(
    c: Connection, since: str | None, *, instance: str, limit: int, now: datetime, full: bool
) -> ApiResponse:
    read = START if since is None else tokens.change_place(since, instance=instance)
    if since is not None and read.seq < revisions.floor(c):
        raise TokenExpired("The changes after this token are no longer kept.")
    found = revisions.since(c, read.seq, limit + 1, full=full)
    shown, more = found[:limit], len(found) > limit
    # At the end the token is that of the whole log: numbers that are not events are read too.
    last = shown[-1].seq if more else max(read.seq, revisions.head(c) if full else revisions.public_head(c))
    marks = revisions.marks(c, (read.seq, last))
    if marks.get(read.seq) != read.mark:
        raise TokenExpired("The log does not hold what this token has read: it was restored from a backup.")
    latest = events.get_many(c, list({row.id for row in shown if row.document is not None}), full=full)
    items = b",".join(_change(row, latest.get(row.id), now=now) for row in shown)
    token = tokens.change_token(instance, LogPlace(last, marks[last]))
    rest = msgspec.json.encode({"token": token, "more": more})
    return responses.tagged(b'{"items":[' + items + b"]," + rest[1:])


def _change(row: Revision, latest: Stored | None, *, now: datetime) -> bytes:
    head = msgspec.json.encode(
        {
            "seq": row.seq,
            "id": row.id,
            "op": row.op,
            "revision": row.revision,
            "changed": row.changed,
            "at": row.at,
        }
    )
    return head[:-1] + b',"event":' + (_as_of(row, latest, now=now) or b"null") + b"}"


def _as_of(row: Revision, latest: Stored | None, *, now: datetime) -> bytes | None:
    """The event of that revision. What is stored knows its phase; an older one is worked out."""
    if row.document is None:
        return None
    if latest is not None and latest.seq == row.seq:
        return latest.body(now)
    steps = windows.phase_steps(view.event_of(row.document), seen=None, halt=row.halt)
    return view.with_phase(row.document, windows.phase_at(steps, now))


def _revision(row: Revision) -> EventRevision:
    changes = tuple(
        FieldChange(field=change.field, before=change.before, after=change.after) for change in row.changes
    )
    return EventRevision(
        seq=row.seq, revision=row.revision, op=row.op, changes=changes, cause=row.cause, at=row.at
    )


HANDLERS = (follow, history)
