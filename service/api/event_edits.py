"""One change to one event, as a unit of work: judge the precondition, apply, check, store, answer."""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy import Connection

from service.api import json_body, responses
from service.api.responses import ApiResponse, Precondition, StoredVersion
from service.catalogue import evidence, validation, view, windows
from service.catalogue.event import DateField, Event, Language
from service.catalogue.view import When
from service.catalogue.windows import Phase
from service.errors import At, NotFound, Unprocessable
from service.store import events, locks
from service.store.stored_event import Stored


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """One change of one event: its cause, its instant and its precondition."""

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


def save(c: Connection, edit: Edit, event: Event, *, says_status: bool) -> ApiResponse:
    """Create the event or put it in the place of the stored one.

    A body that names the status of a new event writes it; one that replaces another only repeats it.
    """
    current = _current(c, edit)
    return _store(c, edit, event, current=current, says_status=says_status and current is None)


def apply(c: Connection, edit: Edit, patch: Any) -> ApiResponse:
    """Merge a patch into the stored event; what comes out is held to the same rules as any other."""
    current = _current(c, edit)
    if current is None:
        raise NotFound("event", edit.id)
    if not isinstance(patch, dict):
        raise Unprocessable(errors=[At(detail="A patch is an object.", pointer="")])
    _refuse_unknown(patch)
    before = current.event if "previous_dates" in patch else _without_previous_dates(current.event)
    event = json_body.convert(merged(msgspec.to_builtins(before), patch), Event)
    return _store(c, edit, event, current=current, says_status="status" in patch)


def remove(c: Connection, edit: Edit) -> ApiResponse:
    """Delete the event."""
    _current(c, edit)
    events.delete(c, edit.id, now=edit.now, cause=edit.cause)
    return responses.NO_CONTENT


def shown(stored: Stored, *, now: datetime, lang: Language | None = None, status: int = 200) -> ApiResponse:
    """The event as an answer, with its tag."""
    version = StoredVersion(revision=stored.revision, seq=stored.seq)
    return responses.item(stored.body(now), version, status=status, lang=lang)


def _current(c: Connection, edit: Edit) -> Stored | None:
    """The stored event, nobody else's to change until the commit, if it is the one the caller means."""
    locks.catalogue(c)
    try:
        current = events.get(c, edit.id, full=True)
    except NotFound:
        edit.precondition.check(None)
        return None
    edit.precondition.check(_tags(current, edit.now))
    return current


def _tags(stored: Stored, now: datetime) -> Iterator[str]:
    """Every tag under which this revision may have been read until now, in either language or both."""
    version = StoredVersion(revision=stored.revision, seq=stored.seq)
    return (responses.etag_of_version(version, body) for body in _as_sent(stored, now))


def _store(
    c: Connection, edit: Edit, event: Event, *, current: Stored | None, says_status: bool
) -> ApiResponse:
    checked = validation.check(event)
    check(edit.derived, checked, current=current, now=edit.now)
    new = without_history(checked, current=current)
    saved = events.put(c, new, now=edit.now, cause=edit.cause, says_status=says_status)
    if saved.outcome == "created":
        return responses.located(shown(saved.stored, now=edit.now, status=201), f"/v1/events/{edit.id}")
    return shown(saved.stored, now=edit.now)


def _refuse_unknown(patch: dict[str, Any]) -> None:
    """A null takes a field away; of one that does not exist it would be a misspelling nobody notices."""
    unknown = [name for name in patch if name not in Event.__struct_fields__]
    if unknown:
        places = (f"/{json_body.escaped(name)}" for name in unknown)
        raise Unprocessable(errors=[At(detail="Object contains unknown field.", pointer=p) for p in places])


def _without_previous_dates(event: Event) -> Event:
    return msgspec.structs.replace(event, previous_dates=msgspec.UNSET)


class StoredFields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields that the service derives for everything it stores.

    A GET can be PUT back: in a body they are ignored if they are what the service sends, or what follows from
    the body; anything else is a 422.
    """

    revision: Annotated[int, Meta(ge=1)] | UnsetType = UNSET
    seq: Annotated[int, Meta(ge=1)] | UnsetType = UNSET
    created_at: datetime | UnsetType = UNSET
    updated_at: datetime | UnsetType = UNSET


class DerivedFields(StoredFields, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The derived fields of an event."""

    when: When | UnsetType = UNSET
    phase: Phase | UnsetType = UNSET
    disputed: bool | UnsetType = UNSET
    unsupported: tuple[DateField, ...] | UnsetType = UNSET


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A body taken apart: what a curator writes, and the derived fields that came with it."""

    fields: dict[str, Any]
    derived: Mapping[str, Any]


def taken_apart(body: Any, kind: type[StoredFields] = DerivedFields, *, below: str = "") -> Written:
    """A body that is not an object is left to the decoder, which says so."""
    if not isinstance(body, dict):
        return Written(fields=body, derived={})
    names = kind.__struct_fields__
    derived = {name: body[name] for name in names if name in body}
    json_body.convert(derived, kind, below=below)
    return Written(fields={name: value for name, value in body.items() if name not in names}, derived=derived)


def check(derived: Mapping[str, Any], event: Event, *, current: Stored | None, now: datetime) -> None:
    """Refuse derived fields that neither a GET of the stored event had until now nor `event` has."""
    if derived:
        sent = () if current is None else map(msgspec.json.decode, _as_sent(current, now))
        _refuse_others(derived, [*sent, _as_follows(event, now)])


def check_noun(derived: Mapping[str, Any], *, sent: bytes | None) -> None:
    """Does what `check` does for a series, program, organization or source."""
    if derived:
        _refuse_others(derived, [] if sent is None else [msgspec.json.decode(sent)])


def _refuse_others(derived: Mapping[str, Any], right: Iterable[Mapping[str, Any]]) -> None:
    wrong = [name for name in derived if all(derived[name] != known.get(name, _NEVER) for known in right)]
    if wrong:
        detail = "It follows from other fields and cannot be set; leave it out or send it as it was."
        raise Unprocessable(errors=[At(detail=detail, pointer=f"/{name}") for name in wrong])


def without_history(event: Event, *, current: Stored | None) -> Event:
    """Previous dates that only repeat the stored ones say nothing, so the store may add to them."""
    if current is None or event.previous_dates is msgspec.UNSET:
        return event
    stored = msgspec.json.decode(current.document)["previous_dates"]
    if msgspec.json.decode(msgspec.json.encode(event.previous_dates)) != stored:
        return event
    return msgspec.structs.replace(event, previous_dates=msgspec.UNSET)


_NEVER = object()


def _as_sent(stored: Stored, now: datetime) -> Iterator[bytes]:
    """The bodies that a GET of this revision may have had until now."""
    for body in stored.bodies(now):
        yield from (body, view.with_language(body, "ko"), view.with_language(body, "en"))


def _as_follows(event: Event, now: datetime) -> dict[str, Any]:
    steps = windows.phase_steps(event, seen=None)
    return {
        "when": msgspec.json.decode(msgspec.json.encode(view.when(event))),
        "disputed": evidence.disputed(event),
        "unsupported": [item.field for item in evidence.unsupported(event)],
        "phase": windows.phase_at(steps, now),
    }


def merged(target: Any, patch: Any) -> Any:
    """Returns `target` with a JSON Merge Patch (RFC 7396) applied: null removes, an object merges, anything
    else replaces. Neither argument is changed."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def whole(patch: dict[str, Any], current: msgspec.Struct, names: tuple[str, ...]) -> dict[str, Any]:
    """`patch` with the objects under these `names` as they are after it, by what `current` has there."""
    found = dict(patch)
    for name in names:
        if name in patch:
            before = msgspec.to_builtins(getattr(current, name))
            found[name] = {} if patch[name] is None else merged(before, patch[name])
    return found


_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"


def new_event_id() -> str:
    """A slug nobody can guess and nobody else gets: 100 random bits."""
    return "evt-" + "".join(secrets.choice(_ALPHABET) for _ in range(20))
