"""The curated catalogue as a whole: what its files say must also hold together across them.

Pure: texts come in, faults and nouns go out. `service.seed_loader` reads the folder and fills the store.
"""

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import combinations

import msgspec

from service.catalogue import dates, evidence, validation
from service.catalogue.event import Event, Evidence, Organization, Participation, Program, Series, Source
from service.catalogue.seed_yaml import FOLDERS, Noun, SeedFault, SeedFile, Unreadable, read

Name = tuple[str, str]  # folder and id
WITH_FEEDS = ("series", "programs", "organizations")


def evidence_of(noun: Noun) -> tuple[Evidence, ...]:
    return noun.evidence if isinstance(noun, Event | Program) else ()


def quote_faults(
    seed: SeedFile, sources: Mapping[str, Source], articles: Mapping[str, str] | None
) -> Iterator[SeedFault]:
    yield from _unsupported(seed)
    yield from _misquoted(seed, sources, articles)
    if isinstance(seed.noun, Source):
        yield from _lost_article(seed, seed.noun, articles)


def _unsupported(seed: SeedFile) -> Iterator[SeedFault]:
    if not isinstance(seed.noun, Event):
        return
    event = seed.noun
    for field in evidence.DATES:
        date: str | None = getattr(event, field)
        if date and not any(supports(said, date, event) for said in evidence.supported(event, field)):
            yield seed.fault(f"/{field}", f"no evidence that still holds says {field} {date}")
    number = event.edition.number if event.edition else None
    counts = ("".join(filter(str.isdigit, said)) for said in evidence.supported(event, "edition"))
    if number is not None and str(number) not in counts:
        yield seed.fault("/edition/number", f"no evidence that still holds counts this as number {number}")
    for index, previous in enumerate(event.previous_dates or ()):
        for field, date in (("start", previous.start), ("end", previous.end)):
            if date and not any(item.field == field and item.value == date for item in event.evidence):
                yield seed.fault(f"/previous_dates/{index}/{field}", f"no evidence ever said {field} {date}")


def supports(claim: str, date: str, event: Event) -> bool:
    """A claim carries a date that is no finer and no surer than itself.

    It is stricter than `evidence.unsupported`, which asks for the day only: an hour needs evidence too.
    """
    if claim == date:
        return True
    try:
        zone = dates.zone(event.timezone)
        said, given = dates.parse_end(claim), dates.parse_end(date)
    except (dates.EdtfError, dates.ZoneError):
        return True  # not a date at all: the rules have said so
    inner, outer = dates.bounds(said, zone), dates.bounds(given, zone)
    if not (inner.earliest and inner.latest and outer.earliest and outer.latest):
        return False
    surer = (said.uncertain and not given.uncertain) or (said.approximate and not given.approximate)
    return outer.earliest <= inner.earliest and inner.latest <= outer.latest and not surer


def _misquoted(
    seed: SeedFile, sources: Mapping[str, Source], articles: Mapping[str, str] | None
) -> Iterator[SeedFault]:
    for index, item in enumerate(evidence_of(seed.noun)):
        source = sources.get(item.source)
        if item.quote is None or source is None:
            continue
        pointer = f"/evidence/{index}/quote"
        if source.article is None:
            yield seed.fault(pointer, f"only what we hold can be quoted, and {source.id} names no article")
        elif articles is not None and item.quote not in articles.get(source.article, ""):
            yield seed.fault(pointer, f"these words are not in {source.article}")


def _lost_article(seed: SeedFile, source: Source, articles: Mapping[str, str] | None) -> Iterator[SeedFault]:
    if articles is not None and source.article is not None and source.article not in articles:
        yield seed.fault("/article", f"there is no article {source.article}")


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    sources: int
    organizations: int
    series: int
    programs: int
    events: int
    evidence: int
    quotes: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    faults: tuple[SeedFault, ...]
    counts: Counts


class Seeds(msgspec.Struct, frozen=True, kw_only=True):
    """Every seed, normalised, and after what it is part of."""

    sources: tuple[Source, ...]
    organizations: tuple[Organization, ...]
    series: tuple[Series, ...]
    programs: tuple[Program, ...]
    events: tuple[Event, ...]


class BadSeeds(Exception):
    """The seeds have faults; `faults` are all of them."""

    def __init__(self, faults: tuple[SeedFault, ...]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


def check(files: Mapping[str, str], articles: Mapping[str, str] | None) -> Report:
    """Every fault, by file and line. Without articles the words of a quote are taken on trust."""
    seeds, faults = _read(files)
    faults += [*_dangling(seeds, files), *_circles(seeds), *_uninvited(seeds), *_namesakes(seeds)]
    for seed in seeds.values():
        faults += quote_faults(seed, _cited(seed, seeds), articles)
    return Report(faults=tuple(sorted(set(faults))), counts=_counts(seeds))


def parse(files: Mapping[str, str]) -> Seeds:
    """The nouns in an order in which they can be stored; raises BadSeeds."""
    report = check(files, None)
    if report.faults:
        raise BadSeeds(report.faults)
    seeds, _ = _read(files)
    inorder = [seeds[name].noun for name in TopologicalSorter(_wholes(seeds)).static_order()]
    return Seeds(
        sources=tuple(noun for noun in inorder if isinstance(noun, Source)),
        organizations=tuple(noun for noun in inorder if isinstance(noun, Organization)),
        series=tuple(noun for noun in inorder if isinstance(noun, Series)),
        programs=tuple(noun for noun in inorder if isinstance(noun, Program)),
        events=tuple(noun for noun in inorder if isinstance(noun, Event)),
    )


def _read(files: Mapping[str, str]) -> tuple[dict[Name, SeedFile], list[SeedFault]]:
    seeds: dict[Name, SeedFile] = {}
    faults: list[SeedFault] = []
    for path, text in sorted(files.items()):
        try:
            seed = read(path, text)
        except Unreadable as unreadable:
            faults.extend(unreadable.faults)
            continue
        noun, broken = _by_the_rules(seed)
        faults.extend(broken)
        seeds[seed.folder, seed.noun.id] = msgspec.structs.replace(seed, noun=noun)
    return seeds, faults


def _by_the_rules(seed: SeedFile) -> tuple[Noun, list[SeedFault]]:
    """The noun as the store would keep it, or as it is with the rules it breaks."""
    try:
        return _checked(seed.noun), []
    except validation.Invalid as invalid:
        return seed.noun, [seed.fault(fault.pointer or "", fault.detail) for fault in invalid.faults]


def _checked(noun: Noun) -> Noun:
    return validation.check(noun) if isinstance(noun, Event) else validation.check_noun(noun)


def references(noun: Noun) -> Iterator[tuple[str, Name]]:
    """Each pointer that names another noun, and what it names."""
    organizations: tuple[Participation, ...] = getattr(noun, "organizations", ())
    for index, participation in enumerate(organizations):
        yield f"/organizations/{index}/id", ("organizations", participation.id)
    if isinstance(noun, Event | Program):
        for index, item in enumerate(noun.evidence):
            yield f"/evidence/{index}/source", ("sources", item.source)
    if isinstance(noun, Event):
        for index, related in enumerate(noun.related):
            yield f"/related/{index}/event", ("events", related.event)
        if noun.series:
            yield "/series", ("series", noun.series)
        if noun.program:
            yield "/program", ("programs", noun.program)
    for folder, kind in (("events", Event), ("programs", Program), ("organizations", Organization)):
        if isinstance(noun, kind) and noun.part_of:
            yield "/part_of", (folder, noun.part_of)


def _dangling(seeds: Mapping[Name, SeedFile], files: Mapping[str, str]) -> Iterator[SeedFault]:
    """Names of files that do not exist; one that exists and cannot be read has its own fault."""
    for seed in seeds.values():
        for pointer, (folder, wanted) in references(seed.noun):
            if (folder, wanted) not in seeds and f"{folder}/{wanted}.yaml" not in files:
                yield seed.fault(pointer, f"there is no {folder}/{wanted}.yaml")


def _wholes(seeds: Mapping[Name, SeedFile]) -> dict[Name, set[Name]]:
    """Returns the parent of each seed."""
    return {
        name: {whole for at, whole in references(seed.noun) if at == "/part_of"} & seeds.keys()
        for name, seed in seeds.items()
    }


def _circles(seeds: Mapping[Name, SeedFile]) -> Iterator[SeedFault]:
    """Nothing may be part of itself by way of others; one fault for each circle."""
    wholes = _wholes(seeds)
    while True:
        try:
            TopologicalSorter(wholes).prepare()
        except CycleError as error:
            # graphlib lists each name before the one that is part of it.
            whole, part = error.args[1][:2]
            circle = " -> ".join(name for _, name in reversed(error.args[1]))
            yield seeds[part].fault("/part_of", f"is part of itself: {circle}")
            wholes[part].discard(whole)
        else:
            return


def _namesakes(seeds: Mapping[Name, SeedFile]) -> Iterator[SeedFault]:
    """A feed has one name: of two seeds with the same, one would have none that can be reached."""
    for first, second in combinations(WITH_FEEDS, 2):
        for folder, name in seeds:
            if folder == second and (first, name) in seeds:
                detail = f"{first}/{name}.yaml has this id, and its feed this name; choose another"
                yield seeds[folder, name].fault("/id", detail)


def _cited(seed: SeedFile, seeds: Mapping[Name, SeedFile]) -> dict[str, Source]:
    named = (seeds.get(name) for _, name in references(seed.noun) if name[0] == "sources")
    return {cited.noun.id: cited.noun for cited in named if cited and isinstance(cited.noun, Source)}


def _uninvited(seeds: Mapping[Name, SeedFile]) -> Iterator[SeedFault]:
    """A program chosen by nomination has no call, so a window of it is somebody's guess."""
    for seed in seeds.values():
        if isinstance(seed.noun, Event) and seed.noun.is_window and seed.noun.program:
            owner = seeds.get(("programs", seed.noun.program))
            if owner and isinstance(owner.noun, Program) and owner.noun.selection == "nomination":
                detail = f"{owner.noun.id} selects by nomination, so it has no application window"
                yield seed.fault("/program", detail)


def _counts(seeds: Mapping[Name, SeedFile]) -> Counts:
    evidence = [item for seed in seeds.values() for item in evidence_of(seed.noun)]
    return Counts(
        **{folder: sum(name[0] == folder for name in seeds) for folder in FOLDERS},
        evidence=len(evidence),
        quotes=sum(item.quote is not None for item in evidence),
    )
