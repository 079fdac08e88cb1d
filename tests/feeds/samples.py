"""Entries for tests: a plain one to vary, and hypothesis strategies for any."""

import random
from datetime import UTC, date, datetime, timedelta

import msgspec
from hypothesis import strategies as st

from feeds.entry import Alarm, Entry, Feed, Organizer, Spot
from feeds.timezones import ZONES

CHANGED = datetime(2026, 2, 1, 3, tzinfo=UTC)
ENTRY = Entry(
    uid="0a1b2c@dday.example",
    sequence=2,
    created=datetime(2026, 1, 5, 1, tzinfo=UTC),
    updated=CHANGED,
    title="글로벌 벤처투자 서밋",
    start=datetime(2026, 4, 7, 5, tzinfo=UTC),
    end=datetime(2026, 4, 7, 9, tzinfo=UTC),
    zone="Asia/Seoul",
    when="2026년 4월 7일(화) 14:00 ~ 18:00",
    description="2026년 4월 7일(화) 14:00 ~ 18:00\n\n주최: 중소벤처기업부; 장소, DDP",
    spot=Spot(text="DDP, 서울", name="DDP", city="서울", country="KR", geo=(37.5665, 127.0092)),
    url="https://dday.example/events/summit-2026",
    categories=("서밋", "investment"),
    busy=True,
    color="royalblue",
    organizers=(Organizer(name="중소벤처기업부"),),
)
DAY = msgspec.structs.replace(
    ENTRY, uid="3d4e5f@dday.example", start=date(2026, 4, 7), end=date(2026, 4, 10), busy=False
)
FEED = Feed(
    uid="feed-ko-calendar@dday.example",
    title="디데이: 전체 일정",
    description="창업 행사와 접수 일정입니다.",
    language="ko",
    zone="Asia/Seoul",
    url="https://dday.example/feeds/ko/calendar.ics",
    page="https://dday.example/",
    modified=CHANGED,
    color="crimson",
)
ALARMS = (
    Alarm(trigger=timedelta(days=-7), text="D-7"),
    Alarm(trigger=timedelta(hours=-2), text="2시간 전", related="end"),
)

# What breaks calendars: controls, line separators, backslash forms, direction marks, joined emoji.
NASTY = (
    *("\x00", "\x07", "\x0b", "\x0c", "\x1b", "\x7f", "\x85", "\x9f", "\r", "\n", "\r\n", "\t", "\ufeff"),
    *("\u2028", "\u2029", "\u202e", "\u2066", "\u200d", "\u200b", "\ud800", "\udfff", "\ufffe", "\uffff"),
    *("\\", "\\n", "\\N", "\\\\", "\\;", "\\,", ";", ",", ":", '"', "^", "^n", "^'", "%0D%0A", "&", "<b>"),
    *(
        "BEGIN:VEVENT",
        "\r\nEND:VCALENDAR",
        "\nATTENDEE:mailto:a@b",
        " ",
        "  ",
        "서울",
        "👩‍👩‍👧‍👦",
        "e\u0301",
        "𝕏",
    ),
)
EDGES = ("", "-opens", "-closes")
texts = st.one_of(
    st.text(max_size=60),
    st.lists(st.one_of(st.sampled_from(NASTY), st.text(max_size=5)), max_size=30).map("".join),
    st.builds(lambda part, times: part * times, st.sampled_from(NASTY), st.integers(0, 300)),
    st.builds(lambda part: (part * 10_000)[:10_240], st.sampled_from(("가", "\\", "a\\,", "👩‍👩‍👧‍👦", "x "))),
)
moments = st.datetimes(datetime(1990, 1, 1), datetime(2037, 12, 31)).map(  # noqa: DTZ001
    lambda moment: moment.replace(second=0, microsecond=0, tzinfo=UTC)
)


@st.composite
def entries(draw: st.DrawFn, titles: st.SearchStrategy[str] = texts) -> Entry:
    """Any entry our service could make, and many it could not."""
    start: date = draw(moments) if draw(st.booleans()) else draw(st.dates(date(1990, 1, 1), date(2100, 1, 1)))
    length = (
        timedelta(minutes=draw(st.integers(1, 3000)))
        if isinstance(start, datetime)
        else timedelta(days=draw(st.integers(1, 40)))
    )
    return Entry(
        uid=f"{draw(st.integers(0, 10**12)):032x}{draw(st.sampled_from(EDGES))}@dday.example",
        sequence=draw(st.integers(0, 999)),
        created=draw(moments),
        updated=draw(moments),
        title=draw(titles),
        start=start,
        end=start + length,
        zone=draw(st.sampled_from((None, *sorted(ZONES), "Africa/Casablanca", "Etc/GMT+12"))),
        description=draw(titles),
        spot=draw(st.none() | st.builds(Spot, text=titles, geo=st.none() | st.just((33.25, -126.5)))),
        url=draw(
            st.sampled_from(
                (None, "https://dday.example/events/a", "https://예제.kr/가?b=c;d,e", "javascript:1")
            )
        ),
        categories=tuple(draw(st.lists(titles, max_size=3))),
        status=draw(st.sampled_from(("confirmed", "tentative", "cancelled"))),
        busy=draw(st.booleans()),
        parent=draw(st.sampled_from((None, "parent@dday.example"))),
        color=draw(st.sampled_from((None, "crimson"))),
        alarms=draw(st.sampled_from(((), ALARMS))),
        language=draw(st.sampled_from(("ko", "en"))),
    )


def many(count: int, *, seed: int = 7) -> list[Entry]:
    """Different entries, the same on every machine: all zones, statuses and lengths, and titles that hurt."""
    chance = random.Random(seed)
    return [_random_entry(chance, number) for number in range(count)]


def _random_entry(chance: random.Random, number: int) -> Entry:
    start: date
    if chance.random() < 0.5:
        moment = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=5 * chance.randrange(105_120 * 12))
        start, length = moment, timedelta(minutes=chance.choice((30, 60, 95, 1440, 1500)))
    else:
        start, length = (
            date(1995, 1, 1) + timedelta(days=chance.randrange(18_000)),
            timedelta(days=chance.randint(1, 9)),
        )
    return Entry(
        uid=f"{number:032x}{chance.choice(EDGES)}@dday.example",
        sequence=chance.randrange(9),
        created=CHANGED - timedelta(days=chance.randrange(900)),
        updated=CHANGED,
        title="".join(chance.choice(WORDS) for _ in range(chance.randint(1, 6))).strip() or "제목",
        start=start,
        end=start + length,
        zone=chance.choice((None, "Asia/Seoul", "Asia/Seoul", *sorted(ZONES), "Africa/Casablanca")),
        description="\n".join(chance.choice(WORDS) * 9 for _ in range(chance.randint(0, 4))),
        spot=chance.choice(
            (None, Spot(text="DDP, 서울; 2층", geo=(37.5, 127.0), online="https://meet.example/a"))
        ),
        url=f"https://dday.example/events/{number}",
        categories=tuple(chance.sample(("서밋", "ai", "R&D, 기술", "a;b"), chance.randrange(4))),
        status=chance.choice(("confirmed", "tentative", "cancelled")),
        busy=chance.random() < 0.5,
        parent=chance.choice((None, "parent@dday.example")),
        color=chance.choice((None, "crimson")),
        language=chance.choice(("ko", "en")),
        image=chance.choice((None, "https://dday.example/a.png")),
        alarms=chance.choice(((), ALARMS)),
    )


WORDS = (
    *(
        "글로벌 벤처투자 서밋",
        "Startup day",
        " ",
        "👩‍👩‍👧‍👦",
        "; ",
        ", ",
        "\\",
        "\\n",
        "C:\\New",
        '"인용"',
        "가나다라마바사아자차카타파하" * 4,
    ),
    *(
        "\u2028",
        "\x85",
        "\x0b",
        "\x00",
        "\u202e",
        "e\u0301",
        "a:b",
        "100%",
        "BEGIN:VEVENT",
        "\r\nX:1",
        "\ufeff",
        "^n",
        "'",
    ),
)
