"""Events whose dates have evidence, so that nothing is said about a lack of it."""

from msgspec.structs import replace

from service.catalogue import evidence
from service.catalogue.event import Event, Evidence


def backed(event: Event, *, source: str = "somebody") -> Event:
    """The event with evidence for its dates as they are, and none else about them."""
    dates = {field: date for field in evidence.DATES if (date := getattr(event, field))}
    others = tuple(item for item in event.evidence if item.field not in dates)
    said = tuple(Evidence(field=field, value=date, source=source) for field, date in dates.items())
    return replace(event, evidence=(*others, *said))
