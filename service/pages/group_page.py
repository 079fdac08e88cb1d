"""The page of a series, program or organization: what it is, its events and their feed."""

from collections.abc import Container, Iterator
from datetime import datetime
from typing import Literal
from urllib.parse import quote

import msgspec
from sqlalchemy import Connection

from service.catalogue.event import Language, Organization, Program, Series
from service.catalogue.filters import EventFilter
from service.catalogue.vocabulary import ROLES, pick
from service.errors import NotFound
from service.pages import phrases, queries
from service.pages.components import (
    Frame,
    Link,
    Noun,
    PhasedEvent,
    Said,
    feed_box,
    line,
    link,
    outside,
    said,
)
from service.pages.components import found as text_of
from service.pages.components import words as ours
from service.pages.event_page import Fact, Ties
from service.pages.queries import MOST
from service.store import entities, entity_names, references

Kind = Literal["series", "program", "organization"]
NOUNS: dict[str, Noun] = {"series": "series", "program": "programs", "organization": "organizations"}


class GroupMaterial(msgspec.Struct, frozen=True, kw_only=True):
    kind: Kind
    noun: Series | Program | Organization
    has_feed: bool
    seen: tuple[PhasedEvent, ...]
    organizations: dict[str, Organization]
    above: Program | Organization | None
    below: tuple[tuple[Noun, str, Series | Program | Organization], ...]


class GroupPage(msgspec.Struct, frozen=True, kw_only=True):
    frame: Frame
    name: Said
    kind: str
    summary: Said | None
    facts: tuple[Fact, ...]
    actions: tuple[Link, ...]
    files: tuple[Link, ...]
    groups: tuple[Ties, ...]
    below: tuple[Link, ...]
    note: str


def read(c: Connection, kind: Kind, identifier: str, *, now: datetime) -> GroupMaterial:
    noun = entities.get(c, kind, identifier).noun
    if not isinstance(noun, Series | Program | Organization):
        raise NotFound(kind, identifier)
    group = entity_names.group(c, identifier)
    chosen = msgspec.structs.replace(EventFilter(), **{kind: (identifier,)})
    bodies = [one.id for one in noun.organizations] if not isinstance(noun, Organization) else []
    return GroupMaterial(
        kind=kind,
        noun=noun,
        has_feed=group is not None and group[0] == kind,
        seen=queries.listed(c, chosen, now=now, sort="-start"),
        organizations=queries.organizations(c, bodies),
        above=_above(c, kind, noun),
        below=tuple(_below(c, kind, identifier)),
    )


def _above(c: Connection, kind: Kind, noun: Series | Program | Organization) -> Program | Organization | None:
    if isinstance(noun, Series) or noun.part_of is None:
        return None
    found = entities.find(c, kind, noun.part_of)
    return found.noun if found and isinstance(found.noun, Program | Organization) else None


def _below(
    c: Connection, kind: Kind, identifier: str
) -> Iterator[tuple[Noun, str, Series | Program | Organization]]:
    """Returns what names this: its parts, and the series and programs of an organization."""
    naming = references.named_by(c, kind, identifier)
    for by, noun in NOUNS.items():
        ids = [name for kind_of, name in naming if kind_of == by]
        for name, stored in entities.get_many(c, by, ids[:MOST]).items():  # type: ignore[arg-type]
            if isinstance(stored.noun, Series | Program | Organization):
                yield noun, name, stored.noun


def page(
    found: GroupMaterial, *, now: datetime, lang: Language, base_url: str, large: Container[str] = ()
) -> GroupPage:
    """`large` are the paths of feeds that are larger than Google reads."""
    noun = found.noun
    name = said(noun.name, lang)
    summary = None if isinstance(noun, Organization) else noun.summary
    about = pick(summary, lang) if summary else ""
    frame = _frame(found, name.text, about, lang, base_url, large)
    return GroupPage(
        frame=frame,
        name=name,
        kind=_kind(noun, lang),
        summary=said(summary, lang) if summary else None,
        facts=tuple(_facts(found, frame)),
        actions=tuple(_actions(noun.url, frame)),
        files=(Link(said=ours("JSON", lang), href=frame.json_path or ""),),
        groups=tuple(_groups(found.seen, frame, now)),
        below=tuple(link(kind, one, below.name, lang) for kind, one, below in found.below),
        note=frame.say.more_events.format(MOST) if len(found.seen) == MOST else "",
    )


def _frame(
    found: GroupMaterial, name: str, summary: str, lang: Language, base_url: str, large: Container[str]
) -> Frame:
    noun = NOUNS[found.kind]
    # One feed name is enough for a series, a program and an organization of one id, but it means the first.
    asked = f"{found.noun.id}.ics" if found.has_feed else f"calendar.ics?{found.kind}={quote(found.noun.id)}"
    box = feed_box(f"/feeds/{lang}/{asked}", title=name, lang=lang, base_url=base_url, large=large)
    return Frame(
        lang=lang,
        path=f"/{noun}/{found.noun.id}",
        title=name,
        description=(summary or name)[:300],
        base_url=base_url,
        feeds=(box,),
        json_path=f"/v1/{noun}/{found.noun.id}",
    )


def _kind(noun: Series | Program | Organization, lang: Language) -> str:
    if isinstance(noun, Program):
        return pick(phrases.PROGRAMS[noun.kind], lang)
    if isinstance(noun, Organization):
        return pick(phrases.ORGANIZATIONS[noun.kind], lang)
    return phrases.PHRASES[lang].series_kind


def _facts(found: GroupMaterial, frame: Frame) -> Iterator[Fact]:
    noun, say, lang = found.noun, frame.say, frame.lang
    if noun.aliases:
        texts = tuple(one for alias in noun.aliases if (one := text_of(alias.text)))
        yield Fact(name=say.known_as, texts=texts)
    if isinstance(noun, Program):
        selection = pick(phrases.SELECTIONS[noun.selection], lang)
        yield Fact(name=say.selection, texts=(ours(selection, lang),))
    if found.above:
        above = link(NOUNS[found.kind], found.above.id, found.above.name, lang)
        yield Fact(name=say.part_of, links=(above,))
    parts = () if isinstance(noun, Organization) else noun.organizations
    for role, name in ROLES.items():
        bodies = (found.organizations.get(one.id) for one in parts if one.role == role)
        links = tuple(link("organizations", body.id, body.name, lang) for body in bodies if body)
        if links:
            yield Fact(name=pick(name, lang), links=links)


def _actions(url: str | None, frame: Frame) -> Iterator[Link]:
    if href := outside(url):
        yield Link(said=ours(frame.say.website, frame.lang), href=href)


PAST = ("ended", "closed")


def _groups(seen: tuple[PhasedEvent, ...], frame: Frame, now: datetime) -> Iterator[Ties]:
    """Yields what is to come in order of time, undated last; then what is past, the latest first."""
    ahead = [one for one in reversed(seen) if one.phase not in PAST]
    ahead.sort(key=lambda one: one.document.when.earliest is None)
    past = [one for one in seen if one.phase in PAST]
    for title, found in ((frame.say.events, ahead), (frame.say.past, past)):
        if found:
            yield Ties(title=title, lines=tuple(line(one, now=now, lang=frame.lang) for one in found))
