"""Drafts as files of seeds, and what a calendar says now against the files of an earlier reading.

A file is known by the UID (and the recurrence) in its `external_ids`, whatever a curator calls it. As long as
nobody edits it, which its first line can tell, it follows the calendar. After that it is the curator's: what
the calendar says anew is told and not written.
"""

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Literal

import msgspec
import yaml

from service.catalogue import seed_yaml
from service.catalogue.event import Event
from service.importers.drafts import CalendarDrafts

_FIRST_LINE = "# dday import {}: this file follows its calendar until somebody edits it.\n"
_UNEDITED = re.compile(re.escape(_FIRST_LINE).replace(r"\{\}", "([0-9a-f]{16})"))
# What a calendar says and a curator must hear of if it says another thing.
_SAID = ("start", "end", "status")

Outcome = Literal["new", "changed", "unchanged", "edited", "older", "gone"]
Key = tuple[str, str | None]


class DraftFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file and what reading the calendar means for it. `text` is to be written; without it nothing is."""

    outcome: Outcome
    path: str
    uid: str
    detail: str = ""
    text: str | None = None


def document(event: Event, organizer: str | None = None) -> str:
    """Writes an event as YAML, without fields at their default."""
    written = {
        field.name: _stripped(msgspec.to_builtins(getattr(event, field.name)))
        for field in msgspec.structs.fields(Event)
        if field.name == "timezone" or getattr(event, field.name) != field.default
    }
    note = f"# Its organizer: {organizer}\n" if organizer else ""
    return note + yaml.safe_dump(written, allow_unicode=True, sort_keys=False, width=100)


def compared(
    calendar: CalendarDrafts, files: Mapping[str, str], *, source: str | None, expand: bool
) -> tuple[DraftFile, ...]:
    """Says of every draft, and of every file that was one, what is new. `files` are texts by file name."""
    known = _known(files)
    taken = {*files, *(f"{event.id}.yaml" for event in calendar.events)}
    found = []
    for event in calendar.events:
        organizer = calendar.organizers.get(event.id)
        if held := known.pop(_key(event), None):
            found.append(_again(event, organizer, *held, files[held[0]], source))
            continue
        if f"{event.id}.yaml" in files:
            event = msgspec.structs.replace(event, id=_free(event, taken))
        path = f"{event.id}.yaml"
        found.append(_outcome("new", path, event, text=_file(event, organizer)))
    named = {_key(event)[0] for event in calendar.events} | {fault.uid for fault in calendar.faults}
    for (uid, recurrence), (path, event) in known.items():
        of_it = any(item.source == source for item in event.evidence) if source else not event.evidence
        if of_it and (uid not in named or (expand and recurrence)):
            found.append(_outcome("gone", path, event, "the calendar has it no more"))
    return tuple(found)


def _known(files: Mapping[str, str]) -> dict[Key, tuple[str, Event]]:
    """The files that were drafts; what is no seed keeps its name and is left alone."""
    known: dict[Key, tuple[str, Event]] = {}
    for path, text in sorted(files.items()):
        try:
            noun = seed_yaml.read(f"events/{path}", text).noun
        except seed_yaml.Unreadable:
            continue
        if isinstance(noun, Event) and "ical" in noun.external_ids:
            known[_key(noun)] = path, noun
    return known


def _key(event: Event) -> Key:
    return event.external_ids["ical"], event.external_ids.get("ical.recurrence")


def _free(event: Event, taken: set[str]) -> str:
    """Another id than that of a file about something else; the same at every reading."""
    digest = sha256(repr(_key(event)).encode("utf-8", "replace")).hexdigest()
    name = f"{event.id[:80]}-{digest[:12]}"
    return name if f"{name}.yaml" not in taken else f"{event.id[:30]}-{digest[:60]}"


def _again(
    event: Event, organizer: str | None, path: str, held: Event, text: str, source: str | None
) -> DraftFile:
    event = msgspec.structs.replace(event, id=held.id)
    before, after = _sequence(held), _sequence(event)
    if after < before:
        return _outcome("older", path, held, f"SEQUENCE {after} is older than the {before} of the file")
    if _is_unedited(text) and {item.source for item in held.evidence} <= {source}:
        fresh = _file(event, organizer)
        if fresh == text:
            return _outcome("unchanged", path, held)
        return _outcome("changed", path, held, ", ".join(_differences(held, event)), text=fresh)
    news = [f"{name} {old} → {new}" for name, old, new in _news(held, event, source)]
    if not news:
        return _outcome("unchanged", path, held)
    return _outcome("edited", path, held, f"edited by hand and kept; the calendar now says {', '.join(news)}")


def _news(held: Event, event: Event, source: str | None) -> Iterator[tuple[str, str, str]]:
    """What the calendar says now and did not say when its words were noted down as evidence."""
    for name in _SAID:
        said = [item.value for item in held.evidence if item.field == name and item.source == source]
        old, new = (said or [getattr(held, name)])[0], getattr(event, name)
        if old != new and new not in said:
            yield name, old or "unknown", new or "unknown"
    if _sequence(held) != _sequence(event):
        yield "ical.sequence", str(_sequence(held)), str(_sequence(event))


def _differences(held: Event, event: Event) -> Iterator[str]:
    for field in msgspec.structs.fields(Event):
        old, new = getattr(held, field.name), getattr(event, field.name)
        if old != new:
            short = field.name in ("start", "end", "status", "timezone")
            yield f"{field.name} {old or 'unknown'} → {new or 'unknown'}" if short else field.name


def _sequence(event: Event) -> int:
    text = event.external_ids.get("ical.sequence", "0")
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else 0


def _file(event: Event, organizer: str | None) -> str:
    body = document(event, organizer)
    return _FIRST_LINE.format(_digest(body)) + body


def _is_unedited(text: str) -> bool:
    found = _UNEDITED.match(text)
    return found is not None and found[1] == _digest(text[found.end() :])


def _digest(body: str) -> str:
    return sha256(body.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _outcome(
    outcome: Outcome, path: str, event: Event, detail: str = "", text: str | None = None
) -> DraftFile:
    return DraftFile(outcome=outcome, path=path, uid=_key(event)[0], detail=detail, text=text)


def _stripped(value: object) -> object:
    """Without what nobody said: parts of a place, a note, the usual rank."""
    if isinstance(value, list | tuple):
        return [_stripped(item) for item in value]
    if isinstance(value, dict):
        usual = {"rank": "normal", "inherited": False}
        return {
            key: _stripped(item) for key, item in value.items() if item is not None and usual.get(key) != item
        }
    return value
