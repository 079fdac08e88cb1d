"""Up to 1,000 events written or deleted in one transaction: all of them, or none and every fault by index."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, post
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy import Connection

from service.api import event_edits, json_body, responses
from service.api.json_body import BATCH_LIMIT
from service.api.operations import CAUSE_PARAMETER, route
from service.api.request import Call
from service.api.responses import ApiResponse
from service.api.shapes import EventBody
from service.catalogue import validation
from service.catalogue.event import Event, Slug
from service.catalogue.validation import Invalid
from service.errors import At, Conflict, Located, Problem, Unprocessable
from service.store import events, locks
from service.store.events import Delete, Operation, Put
from service.store.revisions import Revision
from service.store.stored_event import Saved, Stored

MOST = 1000
SHOWN = 100
# /v1/events/batch is this address.
RESERVED = "batch"


class BatchStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of the two: an event to put, with its id, or the id of one to delete."""

    put: EventBody | UnsetType = UNSET
    delete: Slug | UnsetType = UNSET


Batch = Annotated[tuple[BatchStep, ...], Meta(min_length=1, max_length=MOST)]


class BatchDone(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The outcome of one step. `seq` and `revision` are those of the last change."""

    id: str
    outcome: Literal["created", "changed", "unchanged", "deleted"]
    revision: int
    seq: int


class BatchOutcome(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry a step, in the order of the steps."""

    items: tuple[BatchDone, ...]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A batch that has passed every rule that needs no look at the store; derived fields go by id."""

    operations: tuple[Operation, ...]
    derived: Mapping[str, Mapping[str, Any]]


@post(
    "/v1/events/batch",
    **route(
        "Write many events",
        tag="Events",
        scope="catalogue",
        parameters=(CAUSE_PARAMETER,),
        body=Batch,
        body_limit=BATCH_LIMIT,
        answers={200: BatchOutcome},
        problems=(Conflict,),
        once=True,
    ),
)
async def write(request: Call) -> Response[bytes]:
    """Put and delete events in one transaction. They may name each other; any fault refuses the whole."""
    steps = await request.json()
    # A thousand events take a fifth of a second to check: in a thread, so that others are answered meanwhile.
    plan = await asyncio.to_thread(read, steps)
    return await request.write(lambda c: _apply(c, plan, now=request.now, cause=request.cause))


def read(steps: Any) -> Plan:
    """The plan, or every fault with its index."""
    if not isinstance(steps, list) or not 1 <= len(steps) <= MOST:
        raise Unprocessable(errors=[At(detail=f"A batch is a list of 1 to {MOST} steps.", pointer="")])
    faults: list[Located] = []
    operations: list[Operation] = []
    derived: dict[str, Mapping[str, Any]] = {}
    for index, step in enumerate(steps):
        try:
            found = _operation(step, index, derived)
        except Problem as problem:
            faults += _below(f"/{index}", problem.errors)
        except Invalid as invalid:
            faults += _below(f"/{index}/put", invalid.faults)
        else:
            operations.append(found)
    if faults:
        raise Unprocessable(errors=faults[:SHOWN])
    return Plan(operations=tuple(operations), derived=derived)


def _operation(step: Any, index: int, derived: dict[str, Mapping[str, Any]]) -> Operation:
    if not isinstance(step, dict) or len(step) != 1 or not {"put", "delete"} & set(step):
        raise Unprocessable(errors=[At(detail='It must be {"put": {…}} or {"delete": "id"}.', pointer="")])
    if "delete" in step:
        return Delete(id=json_body.convert(step["delete"], Slug, below="/delete"), prefix=f"/{index}/delete")
    written = event_edits.taken_apart(step["put"], below="/put")
    event = validation.check(json_body.convert(written.fields, Event, below="/put"))
    if event.id == RESERVED:
        raise Unprocessable(errors=[At(detail="No event could be read under this id.", pointer="/put/id")])
    if written.derived:
        derived[event.id] = written.derived
    return Put(event=event, prefix=f"/{index}/put", says_status="status" in written.fields)


def _apply(c: Connection, plan: Plan, *, now: datetime, cause: str) -> ApiResponse:
    locks.catalogue(c)
    stored = events.get_many(c, [step.id for step in plan.operations], full=True)
    results = events.apply(c, _judged(plan, stored, now=now), now=now, cause=cause)
    done = (_done(step, result) for step, result in zip(plan.operations, results, strict=True))
    return responses.value(BatchOutcome(items=tuple(done)))


def _judged(plan: Plan, stored: Mapping[str, Stored], *, now: datetime) -> list[Operation]:
    """The operations as the store takes them, or the faults that only a look at the store shows."""
    faults: list[Located] = []
    judged: list[Operation] = []
    for step in plan.operations:
        current = stored.get(step.id)
        if isinstance(step, Delete):
            if current is None:
                faults.append(At(detail=f"There is no event {step.id!r}.", pointer=step.prefix))
            judged.append(step)
            continue
        try:
            event_edits.check(plan.derived.get(step.id, {}), step.event, current=current, now=now)
        except Problem as problem:
            faults += _below(step.prefix, problem.errors)
        event = event_edits.without_history(step.event, current=current)
        says_status = step.says_status and current is None
        judged.append(msgspec.structs.replace(step, event=event, says_status=says_status))
    if faults:
        raise Unprocessable(errors=faults[:SHOWN])
    return judged


def _done(step: Operation, result: Saved | Revision) -> BatchDone:
    if isinstance(result, Revision):
        return BatchDone(id=step.id, outcome="deleted", revision=result.revision, seq=result.seq)
    stored = result.stored
    return BatchDone(id=step.id, outcome=result.outcome, revision=stored.revision, seq=stored.seq)


def _below(prefix: str, found: Sequence[Located]) -> list[Located]:
    return [At(detail=fault.detail, pointer=prefix + (fault.pointer or "")) for fault in found]


HANDLERS = (write,)
