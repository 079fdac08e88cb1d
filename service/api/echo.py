"""Derived fields on input: a GET can be PUT back, but nobody sets what only follows.

`when`, `phase`, `disputed`, `revision`, `seq`, `created_at` and `updated_at` are ignored if they are what the
service sends for the stored event, or what follows from the new one; anything else is a 422.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from service.api import bodies
from service.catalogue import evidence, view, windows
from service.catalogue.event import Event
from service.catalogue.view import When
from service.catalogue.windows import Phase
from service.errors import At, Unprocessable


class Kept(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The derived fields of every noun, as they may come along."""

    revision: Annotated[int, Meta(ge=1)] | UnsetType = UNSET
    seq: Annotated[int, Meta(ge=1)] | UnsetType = UNSET
    created_at: datetime | UnsetType = UNSET
    updated_at: datetime | UnsetType = UNSET


class Derived(Kept, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Those of an event."""

    when: When | UnsetType = UNSET
    phase: Phase | UnsetType = UNSET
    disputed: bool | UnsetType = UNSET


DERIVED = Derived.__struct_fields__


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A body taken apart: what a curator writes, and the derived fields that came with it."""

    fields: dict[str, Any]
    derived: Mapping[str, Any]


def taken_apart(body: Any, kind: type[Kept] = Derived, *, below: str = "") -> Written:
    """A body that is not an object is left to the decoder, which says so."""
    if not isinstance(body, dict):
        return Written(fields=body, derived={})
    names = kind.__struct_fields__
    derived = {name: body[name] for name in names if name in body}
    bodies.convert(derived, kind, below=below)
    return Written(fields={name: value for name, value in body.items() if name not in names}, derived=derived)


def check(derived: Mapping[str, Any], event: Event, *, sent: bytes | None, now: datetime) -> None:
    """Refuse derived fields that neither `sent` (the stored event, as a GET answers) nor `event` has."""
    if derived:
        _refuse_others(derived, [*_as_sent(sent), _as_follows(event, now)])


def check_noun(derived: Mapping[str, Any], *, sent: bytes | None) -> None:
    """The same for a series, program, organization or source."""
    if derived:
        _refuse_others(derived, [] if sent is None else [msgspec.json.decode(sent)])


def _refuse_others(derived: Mapping[str, Any], right: Iterable[Mapping[str, Any]]) -> None:
    wrong = [name for name in derived if all(derived[name] != known.get(name, _NEVER) for known in right)]
    if wrong:
        detail = "It follows from other fields and cannot be set; leave it out or send it as it was."
        raise Unprocessable(errors=[At(detail=detail, pointer=f"/{name}") for name in wrong])


def without_history(event: Event, *, sent: bytes | None) -> Event:
    """Previous dates that only repeat the stored ones say nothing, so the store may add to them."""
    if sent is None or event.previous_dates is msgspec.UNSET:
        return event
    stored = msgspec.json.decode(sent)["previous_dates"]
    if msgspec.json.decode(msgspec.json.encode(event.previous_dates)) != stored:
        return event
    return msgspec.structs.replace(event, previous_dates=msgspec.UNSET)


_NEVER = object()


def _as_sent(sent: bytes | None) -> Iterator[dict[str, Any]]:
    if sent is not None:
        for body in (sent, view.with_language(sent, "ko"), view.with_language(sent, "en")):
            yield msgspec.json.decode(body)


def _as_follows(event: Event, now: datetime) -> dict[str, Any]:
    steps = windows.phase_steps(event, seen=None)
    return {
        "when": msgspec.json.decode(msgspec.json.encode(view.when(event))),
        "disputed": evidence.disputed(event),
        "phase": windows.phase_at(steps, now),
    }
