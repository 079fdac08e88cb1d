"""What a seed's evidence must do: carry every date it gives, and quote its article to the letter."""

from collections.abc import Iterator, Mapping

from service.catalogue import dates
from service.catalogue.event import Event, Evidence, Program, Source
from service.catalogue.seedfile import Fault, Noun, SeedFile


def evidence(noun: Noun) -> tuple[Evidence, ...]:
    return noun.evidence if isinstance(noun, Event | Program) else ()


def faults(
    seed: SeedFile, sources: Mapping[str, Source], articles: Mapping[str, str] | None
) -> Iterator[Fault]:
    yield from _unsupported(seed)
    yield from _misquoted(seed, sources, articles)
    if isinstance(seed.noun, Source):
        yield from _lost_article(seed, seed.noun, articles)


def _unsupported(seed: SeedFile) -> Iterator[Fault]:
    if not isinstance(seed.noun, Event):
        return
    event = seed.noun
    for field, date in (("start", event.start), ("end", event.end)):
        claims = [item for item in event.evidence if item.field == field and item.rank != "deprecated"]
        if date and not any(supports(item.value, date, event) for item in claims):
            yield seed.fault(f"/{field}", f"no evidence that still holds says {field} {date}")
    for index, previous in enumerate(event.previous_dates or ()):
        for field, date in (("start", previous.start), ("end", previous.end)):
            if date and not any(item.field == field and item.value == date for item in event.evidence):
                yield seed.fault(f"/previous_dates/{index}/{field}", f"no evidence ever said {field} {date}")


def supports(claim: str | None, date: str, event: Event) -> bool:
    """A claim carries a date that is no finer and no surer than itself."""
    if claim == date:
        return True
    try:
        zone = dates.zone(event.timezone)
        said, given = dates.parse_end(claim or ""), dates.parse_end(date)
    except (dates.EdtfError, dates.ZoneError):
        return True  # not a date at all: the rules have said so
    inner, outer = dates.bounds(said, zone), dates.bounds(given, zone)
    if not (inner.earliest and inner.latest and outer.earliest and outer.latest):
        return False
    surer = (said.uncertain and not given.uncertain) or (said.approximate and not given.approximate)
    return outer.earliest <= inner.earliest and inner.latest <= outer.latest and not surer


def _misquoted(
    seed: SeedFile, sources: Mapping[str, Source], articles: Mapping[str, str] | None
) -> Iterator[Fault]:
    for index, item in enumerate(evidence(seed.noun)):
        source = sources.get(item.source)
        if item.quote is None or source is None:
            continue
        pointer = f"/evidence/{index}/quote"
        if source.article is None:
            yield seed.fault(pointer, f"only what we hold can be quoted, and {source.id} names no article")
        elif articles is not None and item.quote not in articles.get(source.article, ""):
            yield seed.fault(pointer, f"these words are not in {source.article}")


def _lost_article(seed: SeedFile, source: Source, articles: Mapping[str, str] | None) -> Iterator[Fault]:
    if articles is not None and source.article is not None and source.article not in articles:
        yield seed.fault("/article", f"there is no article {source.article}")
