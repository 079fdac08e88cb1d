"""Which feed a stored saved feed comes to when it is fetched, and how its address ends."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from service.catalogue.event import Text
from service.catalogue.saved_feed import NewSavedFeed
from service.feedcache import request, saved
from service.feedcache.request import Moved, Options, Reach

NOW = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
BODY = {
    "name": "팀",
    "filter": {"from": "2026-01-01", "kind": "summit", "tag": ["ai", "bio"], "disputed": False},
    "options": {"alarms": ["P1D", "P7D"], "placeholders": True, "past": "P1M", "detail": "min"},
}


def fetched(query=b"", *, moved=None, version=1, body=BODY):
    made = saved.created(msgspec.convert(body, NewSavedFeed), feed_id="fed_1", owner="key", now=NOW)
    document = msgspec.json.encode(made)
    return saved.feed_request(document, "ics", query, feed="fed_1", version=version, moved=moved)


def test_a_saved_feed_is_what_the_same_query_asks_for():
    query = (
        b"from=2026-01-01&kind=summit&tag=ai&tag=bio&disputed=false"
        b"&alarms=P1D,P7D&placeholders=1&past=P1M&detail=min"
    )
    same = request.parse("/feeds/ko/calendar.ics", query)
    found = fetched()
    assert (found.filters, found.options, found.lang) == (same.filters, same.options, same.lang)
    assert (found.ignored, same.ignored) == ((), ())


def test_an_option_of_the_address_wins_also_when_it_is_a_default():
    found = fetched(b"detail=full&past=P18M&alarms=P2D")
    assert found.options == Options(
        alarms=(timedelta(days=2),), placeholders=True, past=Reach(18, 0), detail="full"
    )


def test_the_key_of_its_copies_outlives_a_change_and_tells_a_replaced_address_apart():
    moved = Moved(since=NOW, until=NOW + timedelta(days=1))
    assert fetched(version=1).path == fetched(version=2, body={"name": "새 팀", "lang": "en"}).path
    earlier = Moved(since=NOW - timedelta(days=1), until=moved.until)
    paths = {fetched(query, moved=by).path for query in (b"", b"past=P2M") for by in (None, moved, earlier)}
    assert len(paths) == 6
    assert (fetched(moved=moved).path_before_move, fetched().path_before_move) == (fetched().path, None)
    assert fetched(b"alarms=P7D,P1D").path == fetched(b"alarms=P1W,P1D").path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (Text(ko="우리 팀", en="Our Team!"), "our-team"),
        (Text(ko="우리 팀: 2026"), "우리-팀-2026"),
        (Text(ko="../../etc/passwd"), "etc-passwd"),
        (Text(ko="★☆"), "calendar"),
        (Text(en="a_b\u202ec"), "a-b-c"),
        (Text(en="x" * 200), "x" * 60),
    ],
)
def test_the_name_of_a_file_is_that_of_the_feed_in_letters_and_digits(name, expected):
    assert saved.file_name(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (Text(ko="우리 팀", en="Our Team!"), "our-team"),
        (Text(ko="우리 팀: 2026"), "calendar"),
        (Text(ko="AI 스타트업 2026"), "ai-2026"),
        (Text(en="Göttingen"), "g-ttingen"),
        (Text(en="x" * 200), "x" * 20),
    ],
)
def test_the_end_of_an_address_is_short_and_latin(name, expected):
    assert saved.address_name(name) == expected
