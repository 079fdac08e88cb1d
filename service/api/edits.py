"""One change to one event, as a unit of work: judge the precondition, apply, check, store, answer."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from service.api import answers, bodies, echo
from service.api.answers import Answer
from service.api.etags import Precondition, Version
from service.api.merge import merged
from service.catalogue import rules
from service.catalogue.event import Event, Language
from service.errors import At, NotFound, Unprocessable
from service.store import events, locks
from service.store.records import Stored


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """Who changes which event when and why, and what must be true for it."""

    id: str
    derived: Mapping[str, Any] = {}
    now: datetime
    cause: str
    precondition: Precondition = Precondition()


def named(fields: Any, identifier: str) -> Any:
    """A body under the id of its path; it may repeat it, but not contradict it."""
    if not isinstance(fields, dict):
        return fields
    if fields.get("id", identifier) != identifier:
        raise Unprocessable(errors=[At(detail=f"The path says {identifier!r}.", pointer="/id")])
    return {"id": identifier, **fields}


def save(c: Connection, edit: Edit, event: Event) -> Answer:
    """Create the event or put it in the place of the stored one."""
    return _store(c, edit, event, current=_current(c, edit))


def apply(c: Connection, edit: Edit, patch: Any) -> Answer:
    """Merge a patch into the stored event; what comes out is held to the same rules as any other."""
    current = _current(c, edit)
    if current is None:
        raise NotFound("event", edit.id)
    if not isinstance(patch, dict):
        raise Unprocessable(errors=[At(detail="A patch is an object.", pointer="")])
    _refuse_unknown(patch)
    before = current.event if "previous_dates" in patch else _without_previous_dates(current.event)
    event = bodies.convert(merged(msgspec.to_builtins(before), patch), Event)
    return _store(c, edit, event, current=current)


def remove(c: Connection, edit: Edit) -> Answer:
    """Delete the event."""
    _current(c, edit)
    events.delete(c, edit.id, now=edit.now, cause=edit.cause)
    return answers.NOTHING


def shown(stored: Stored, *, now: datetime, lang: Language | None = None, status: int = 200) -> Answer:
    """The event as an answer, with its tag."""
    version = Version(revision=stored.revision, seq=stored.seq)
    return answers.item(stored.body(now), version, status=status, lang=lang)


def _current(c: Connection, edit: Edit) -> Stored | None:
    """The stored event, nobody else's to change until the commit, if it is the one the caller means."""
    locks.catalogue(c)
    try:
        current = events.get(c, edit.id)
    except NotFound:
        edit.precondition.check(None)
        return None
    edit.precondition.check(Version(revision=current.revision, seq=current.seq))
    return current


def _store(c: Connection, edit: Edit, event: Event, *, current: Stored | None) -> Answer:
    checked = rules.check(event)
    sent = current.body(edit.now) if current else None
    echo.check(edit.derived, checked, sent=sent, now=edit.now)
    new = echo.without_history(checked, sent=sent)
    saved = events.put(c, new, now=edit.now, cause=edit.cause)
    if saved.outcome == "created":
        return answers.located(shown(saved.stored, now=edit.now, status=201), f"/v1/events/{edit.id}")
    return shown(saved.stored, now=edit.now)


def _refuse_unknown(patch: dict[str, Any]) -> None:
    """A null takes a field away; of one that does not exist it would be a misspelling nobody notices."""
    unknown = [name for name in patch if name not in Event.__struct_fields__]
    if unknown:
        places = (f"/{bodies.escaped(name)}" for name in unknown)
        raise Unprocessable(errors=[At(detail="Object contains unknown field.", pointer=p) for p in places])


def _without_previous_dates(event: Event) -> Event:
    return msgspec.structs.replace(event, previous_dates=msgspec.UNSET)
