"""Random events and filters for the tests of the store, from small pools so that they meet often."""

from datetime import UTC, datetime

from hypothesis import strategies as st

from service.catalogue import validation
from service.catalogue.event import (
    Alias,
    Edition,
    Event,
    Evidence,
    Organization,
    Participation,
    Place,
    Program,
    Series,
    Source,
    Text,
)
from service.catalogue.filters import EventFilter
from service.catalogue.validation import Invalid

NOW = datetime(2025, 9, 5, 5, tzinfo=UTC)
WRITES = tuple(datetime(2025, 8, day, 3, tzinfo=UTC) for day in (1, 2, 3))

DATES = (
    *("2025-09-05T14:00", "2025-09-05T13:59", "2025-09-05", "2025-09-04", "2025-09-12", "2025-09-12T18:00"),
    *("2025-09", "2025-11", "2025-12", "2025", "2026", "2025-09-05?", "2025-09~", "2025-XX-12", "XXXX-XX-12"),
    *("2025-08-25", "2025-06-01", "2025-03-02T09:00", "2024-01-15", "2023-02-10", "2026-10-10"),
)
KO = (
    *("글로벌 벤처투자 서밋", "서울콘 2025", "스타트업 모집", "글로 로벌", "AI 서울", "서", "초격차 테크"),
    *("초격차테크 콘퍼런스", "2025 서울 콘서트", "딥테크", "K-뷰티 밋업"),
)
EN = (
    "Global Venture Summit",
    "SeoulCon",
    "call for startups",
    "AI day",
    "Deep Tech 2025",
    "K-Startup",
    "deep-tech",
)
# Words, spaces left out and put in, names and aliases of NOUNS, initials, typing errors, exclusions.
QUERIES = (
    *(
        "서울",
        "서밋",
        "글로벌",
        "글로벌 AI",
        "summit",
        "서",
        "2025",
        "글로벌벤처투자",
        "초격차 테크 컨퍼런스",
        "딥 테크",
    ),
    *(
        "deeptech",
        "k startup",
        "중기부",
        "중소벤처기업부",
        "sba",
        "APEC",
        "funding",
        "ㅅㅇㅋ",
        "ㄱㄹㅂㅂㅊ",
        "서울컨",
    ),
    *("seolcon", "스타트엎 모집", "글로발 서밋", "서울 -콘서트", "-글로벌", "없는말"),
)

NOUNS = (
    Series(id="apec", name=Text(en="APEC")),
    Series(id="seoulcon", name=Text(ko="서울콘")),
    Program(id="tips", name=Text(en="TIPS")),
    Organization(id="mss", name=Text(ko="중소벤처기업부"), aliases=(Alias(text="중기부"),)),
    Organization(id="sba", name=Text(ko="서울경제진흥원")),
    Source(id="today", title="t", kind="news", retrieved="2025-09-03"),
    Source(id="old", title="o", kind="news", retrieved="2025-03-03"),
)

maybe_date = st.none() | st.sampled_from(DATES)


@st.composite
def _event(draw: st.DrawFn, index: int) -> Event | None:
    kind = draw(st.sampled_from(("summit", "conference", "milestone", "application_window")))
    window = kind == "application_window"
    event = Event(
        id=f"e{index}",
        kind=kind,
        name=Text(ko=draw(st.sampled_from(KO)), en=draw(st.none() | st.sampled_from(EN))),
        summary=draw(st.none() | st.builds(Text, ko=st.sampled_from(KO))),
        status=draw(st.sampled_from(("scheduled",) * 4 + ("tentative", "postponed", "cancelled"))),
        start=draw(maybe_date),
        end=draw(maybe_date),
        timezone=draw(st.sampled_from(("Asia/Seoul", "America/New_York"))),
        close_rule=draw(st.sampled_from((None, "until_exhausted", "rolling", "varies"))) if window else None,
        series=draw(st.sampled_from((None, "apec", "seoulcon"))),
        edition=draw(st.none() | st.just(Edition(number=1))),
        program=draw(st.sampled_from((None, "tips"))),
        part_of=draw(st.sampled_from((None, "e0"))) if index else None,
        place=draw(st.none() | st.builds(Place, city=st.sampled_from(("서울", "부산", "Seoul")))),
        organizations=tuple(
            Participation(id=id, role="host") for id in draw(st.sets(st.sampled_from(("mss", "sba"))))
        ),
        tags=tuple(sorted(draw(st.sets(st.sampled_from(("ai", "bio", "funding")))))),
        evidence=draw(_evidence),
    )
    try:
        return validation.check(event)
    except Invalid:
        return None


_said = st.builds(
    Evidence,
    field=st.sampled_from(("start", "end")),
    value=st.sampled_from(
        ("2025-09-05", "2025-09-12", "2025-12-01", "2025-11", "2025-03-02T09:00", "XXXX-XX-12")
    ),
    source=st.sampled_from(("today", "old")),
)
_evidence = st.lists(_said, max_size=5, unique_by=lambda said: (said.field, said.value, said.source)).map(
    tuple
)


@st.composite
def catalogues(draw: st.DrawFn, size: int = 25) -> list[Event]:
    """Some events that obey the rules and may name each other."""
    drawn = [draw(_event(index)) for index in range(size)]
    anchor = Event(id="e0", kind="summit", name=Text(ko="서밋"), start="2025-09-05")
    return [anchor, *(event for event in drawn[1:] if event is not None)]


def _some(*values: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.just(()) | st.lists(st.sampled_from(values), max_size=2, unique=True).map(tuple)


_instant = st.sampled_from(
    [datetime(2025, month, day, 15, tzinfo=UTC) for month in (2, 8, 9, 11) for day in (4, 28)]
)


@st.composite
def filters(draw: st.DrawFn) -> EventFilter:
    """Any filter, most of them with few conditions."""
    begin, end = draw(st.none() | _instant), draw(st.none() | _instant)
    if begin is not None and end is not None and end <= begin:
        end = None
    every = {
        "from_": begin,
        "to": end,
        "kind": draw(_some("summit", "milestone", "application_window")),
        "tag": draw(_some("ai", "bio", "none")),
        "series": draw(_some("apec", "seoulcon")),
        "program": draw(_some("tips")),
        "organization": draw(_some("mss", "sba")),
        "city": draw(_some("서울", "부산")),
        "status": draw(_some("scheduled", "cancelled")),
        "phase": draw(_some("open", "closing_soon", "ongoing", "upcoming", "ended", "unknown", "forecasted")),
        "part_of": draw(_some("e0")),
        "disputed": draw(st.sampled_from((None, None, True, False))),
        "unsupported": draw(st.sampled_from((None, None, True, False))),
        "q": draw(st.sampled_from((None, *QUERIES))),
        "updated_since": draw(st.none() | st.sampled_from(WRITES)),
    }
    kept = draw(st.sets(st.sampled_from(sorted(every)), max_size=4))
    return EventFilter(**{name: value for name, value in every.items() if name in kept})
