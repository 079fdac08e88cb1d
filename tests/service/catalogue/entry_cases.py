"""The cases of notes/icalendar.md section 6, each named for the fact its golden file proves.

`python -m tests.service.catalogue.entry_cases` writes the files anew; read the diff before committing it.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from feeds.formats import FORMATS
from service.catalogue import validation, view
from service.catalogue.entries import Around, Named, Style, entries
from service.catalogue.event import Event, Evidence, Geo, Participation, Place, PreviousDates, Text
from service.catalogue.view import Document
from tests.support.backed import backed

GOLDEN = Path(__file__).parents[2] / "golden" / "ical"
CREATED = datetime(2026, 1, 5, 1, tzinfo=UTC)
CHANGED = datetime(2026, 2, 1, 3, tzinfo=UTC)
UID = "0123456789abcdef0123456789abcdef@dday.example"
_DOCUMENTS = msgspec.json.Decoder(Document)

SUMMIT = Event(
    id="summit-2026",
    kind="summit",
    name=Text(ko="글로벌 벤처투자 서밋", en="Global Venture Summit"),
    summary=Text(ko="투자자와 창업자가 만납니다.", en="Investors meet founders.", translated=("en",)),
    start="2026-04-07T14:00",
    end="2026-04-07T18:00",
    place=Place(name=Text(ko="DDP", en="DDP"), city="서울", country="KR", geo=Geo(lat=37.5665, lon=127.0092)),
    organizations=(Participation(id="mss", role="host"), Participation(id="kova", role="speaker")),
    tags=("investment",),
    url="https://summit.example/",
    evidence=(Evidence(field="start", value="2026-04-07", source="notice"),),
)
CALL = Event(
    id="challenge-2026-call",
    kind="application_window",
    name=Text(ko="스타트업 챌린지 모집", en="Startup Challenge: call"),
    start="2026-03-02",
    end="2026-03-27T18:00",
    close_rule="fixed",
    apply_url="https://apply.example/",
)
AROUND: Around = {
    ("organization", "mss"): Named(name=Text(ko="중소벤처기업부", en="Ministry of SMEs"), updated_at=CREATED),
    ("source", "notice"): Named(name=Text(ko="서밋 개최 공고"), updated_at=CHANGED + timedelta(days=9)),
    ("event", "week-2026"): Named(
        name=Text(ko="스타트업 위크", en="Startup Week"), updated_at=CREATED, uid="week@dday.example"
    ),
}


def changed(event: Event, **fields: Any) -> Event:
    return msgspec.structs.replace(event, **fields)


def moved(event: Event, *, start: str | None = None, end: str | None = None) -> Event:
    """The event after it was at other dates."""
    return changed(event, previous_dates=(PreviousDates(start=start, end=end, until_revision=1),))


_said = [Evidence(field="end", value=day, source="notice") for day in ("2026-03-27", "2026-03-25")]
_opens = Evidence(field="start", value="2026-03-02", source="somebody")
_closes = Evidence(field="end", value="2026-03-25", source="notice")
# What evidence, or the lack of it, does to an entry. Of all other cases every date has evidence.
EVIDENCE: dict[str, tuple[Event, dict[str, Any]]] = {
    "a-disputed-close-shows-the-earlier-one": (
        changed(CALL, end="2026-03-27", evidence=(_opens, *_said)),
        {},
    ),
    "a-date-without-evidence-says-so": (CALL, {}),
    "a-date-that-all-evidence-contradicts-is-tentative": (
        changed(CALL, end="2026-03-27", evidence=(_opens, _closes)),
        {"lang": "en"},
    ),
}
_CASES: dict[str, tuple[Event, dict[str, Any]]] = {
    "a-timed-event-is-told-in-its-zone": (SUMMIT, {}),
    "the-same-in-english-keeps-its-uid": (SUMMIT, {"lang": "en"}),
    "detail-min-is-title-time-and-place": (SUMMIT, {"detail": "min"}),
    "an-event-of-several-days-is-whole-days": (changed(SUMMIT, start="2026-04-07", end="2026-04-09"), {}),
    "an-event-over-midnight-is-timed": (changed(SUMMIT, end="2026-04-08T02:00"), {}),
    "an-event-longer-than-a-day-is-whole-days": (changed(SUMMIT, end="2026-04-09T00:00"), {}),
    "an-event-without-an-end-shows-an-hour-and-says-so": (changed(SUMMIT, end=None), {}),
    "an-event-whose-end-is-known-to-the-month-says-so": (changed(SUMMIT, end="2026-05"), {}),
    "an-event-whose-end-is-its-start-says-so": (changed(SUMMIT, end="2026-04-07T14:00"), {"lang": "en"}),
    "a-day-without-an-hour-is-that-day": (changed(SUMMIT, start="2026-04-07", end=None), {}),
    "an-online-event-is-told-in-utc": (changed(SUMMIT, place=Place(online_url="https://meet.example/a")), {}),
    "a-timed-event-can-be-told-in-utc": (SUMMIT, {"tz": "utc"}),
    "an-event-in-a-zone-with-summer-time": (changed(SUMMIT, timezone="America/New_York"), {}),
    "a-month-is-not-in-the-calendar": (changed(SUMMIT, start="2026-11", end=None), {}),
    "a-placeholder-is-tentative-and-on-the-first": (
        changed(SUMMIT, start="2026-11", end=None),
        {"placeholders": True},
    ),
    "the-placeholder-moves-when-the-day-is-known": (
        moved(changed(SUMMIT, start="2026-11-12", end=None), start="2026-11"),
        {"placeholders": True},
    ),
    "an-uncertain-date-is-tentative": (changed(SUMMIT, start="2026-04-07?", end=None), {}),
    "a-moved-event-says-from-when": (moved(SUMMIT, start="2026-03-31T14:00", end="2026-03-31T18:00"), {}),
    "a-postponed-event-stays-at-its-old-date": (
        moved(
            changed(SUMMIT, status="postponed", start=None, end=None), start="2026-04-07", end="2026-04-08"
        ),
        {},
    ),
    "a-cancelled-event-is-marked-and-free": (
        changed(SUMMIT, status="cancelled"),
        {"alarms": (timedelta(1),)},
    ),
    "a-cancelled-event-can-be-kept-visible-in-google": (
        changed(SUMMIT, status="cancelled"),
        {"cancelled": "mark"},
    ),
    "a-cancelled-event-can-be-dropped": (changed(SUMMIT, status="cancelled"), {"cancelled": "drop"}),
    "a-part-names-its-whole": (changed(SUMMIT, part_of="week-2026", kind="forum"), {"lang": "en"}),
    "levels-parent-leaves-parts-out": (changed(SUMMIT, part_of="week-2026"), {"levels": "parent"}),
    "a-window-is-two-edges": (CALL, {}),
    "a-window-closing-at-midnight-ends-on-its-day": (changed(CALL, end="2026-03-27T24:00"), {}),
    "a-window-closing-at-2359-ends-on-its-day": (changed(CALL, end="2026-03-27T23:59"), {}),
    "a-close-without-an-hour-is-the-whole-day": (changed(CALL, end="2026-03-27"), {}),
    "an-aoe-deadline-is-told-in-utc": (changed(CALL, end="2026-03-27T23:59", timezone="Etc/GMT+12"), {}),
    "an-opening-whose-minute-matters-is-timed": (
        changed(CALL, start="2026-03-02T10:00", close_rule="first_come", end=None),
        {"alarms": (timedelta(hours=1),)},
    ),
    "an-opening-whose-minute-does-not-matter-is-a-day": (changed(CALL, start="2026-03-02T10:00"), {}),
    "a-window-without-a-close-only-opens": (
        changed(CALL, end=None, close_rule="until_exhausted", close_text="예산 소진 시까지"),
        {},
    ),
    "a-window-without-an-announced-close-says-so": (changed(CALL, end=None, close_rule="unknown"), {}),
    "a-window-without-an-opening-only-closes": (changed(CALL, start=None), {}),
    "an-extended-window-says-so": (moved(CALL, start="2026-03-02", end="2026-03-20T18:00"), {"lang": "en"}),
    "a-bar-runs-from-open-to-close": (CALL, {"windows": "bar"}),
    "a-bar-to-midnight-ends-on-the-day-before": (changed(CALL, end="2026-03-28T00:00"), {"windows": "bar"}),
    "a-bar-without-an-end-is-its-known-edge": (
        changed(CALL, end=None, close_rule="rolling"),
        {"windows": "bar"},
    ),
    "both-are-edges-and-bar": (CALL, {"windows": "both"}),
    "windows-can-be-left-out": (CALL, {"windows": "none"}),
    "alarms-ring-before-the-close-not-the-opening": (CALL, {"alarms": (timedelta(7), timedelta(1))}),
    "an-alarm-of-a-whole-day-rings-at-nine": (changed(CALL, end="2026-03-27"), {"alarms": (timedelta(1),)}),
    "an-internal-event-is-in-no-calendar": (changed(SUMMIT, visibility="internal"), {}),
    "a-milestone-is-an-event-of-its-own": (changed(SUMMIT, kind="milestone", end=None), {}),
}


def _source(event: Event) -> str:
    return event.evidence[0].source if event.evidence else "somebody"


CASES = {
    name: (backed(event, source=_source(event)), asked) for name, (event, asked) in _CASES.items()
} | EVIDENCE


def document_of(event: Event, *, revision: int = 3) -> Document:
    previous = event.previous_dates if isinstance(event.previous_dates, tuple) else ()
    checked = validation.check(event)
    kept = view.document(
        checked, previous_dates=previous, revision=revision, seq=9, created_at=CREATED, updated_at=CHANGED
    )
    return _DOCUMENTS.decode(kept)


def rendered(event: Event, options: dict[str, Any], *, profile: str = "plain") -> str:
    """The VEVENTs of one event, with plain line ends."""
    style = Style(base_url="https://dday.example", **{"lang": "ko", **options})
    made = entries(document_of(event), uid=UID, around=AROUND, style=style)
    fragments = [FORMATS["ics"].render(entry, profile=profile) for entry in made]  # type: ignore[arg-type]
    return "".join(f.body.decode().replace("\r\n", "\n") for f in fragments if f)


if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for old in GOLDEN.glob("*.ics"):
        old.unlink()
    for name, (case, asked) in CASES.items():
        (GOLDEN / f"{name}.ics").write_text(rendered(case, asked), encoding="utf-8")
