"""The same entries for news readers and for search engines."""

from datetime import date, datetime, timedelta
from xml.etree import ElementTree as ET

import msgspec
import pytest

from feeds import jsonld
from feeds.entry import Spot
from feeds.formats import FORMATS, document
from tests.feeds.samples import DAY, ENTRY, FEED

ATOM = "{http://www.w3.org/2005/Atom}"
UNDATED = msgspec.structs.replace(
    ENTRY, uid="undated@dday.example", start=None, end=None, updated=ENTRY.updated + timedelta(days=1)
)


def test_json_feed_says_what_calendars_know_under_a_name_of_its_own():
    feed = msgspec.json.decode(document("json", FEED, [ENTRY]))
    assert (feed["version"], feed["feed_url"]) == ("https://jsonfeed.org/version/1.1", FEED.url)
    [item] = feed["items"]
    assert (item["id"], item["title"], item["date_modified"]) == (
        ENTRY.uid,
        ENTRY.title,
        "2026-02-01T03:00:00Z",
    )
    assert item["authors"] == [{"name": "중소벤처기업부"}]
    calendar = item["_dday"]
    assert (calendar["start"], calendar["end"]) == ("2026-04-07T05:00:00Z", "2026-04-07T09:00:00Z")
    assert (calendar["status"], calendar["sequence"]) == ("scheduled", 2)


def test_a_whole_day_in_json_is_a_date_with_an_exclusive_end():
    [item] = msgspec.json.decode(document("json", FEED, [DAY]))["items"]
    calendar = item["_dday"]
    assert (calendar["start"], calendar["end"], calendar["all_day"]) == ("2026-04-07", "2026-04-10", True)


def test_atom_is_well_formed_and_complete():
    root = ET.fromstring(document("atom", FEED, [ENTRY]))  # noqa: S314
    assert [child.tag for child in root].count(f"{ATOM}entry") == 1
    entry = root.find(f"{ATOM}entry")
    assert entry.findtext(f"{ATOM}id") == "urn:dday:0a1b2c@dday.example"
    assert entry.findtext(f"{ATOM}updated") == "2026-02-01T03:00:00Z"
    assert entry.findtext(f"{ATOM}content") == ENTRY.description
    assert {link.get("rel") for link in root.findall(f"{ATOM}link")} == {"self", "alternate"}
    for needed in ("id", "title", "updated", "author"):
        assert root.find(f"{ATOM}{needed}") is not None


@pytest.mark.parametrize("suffix", FORMATS)
def test_what_has_no_day_is_news_but_not_in_a_calendar(suffix):
    body = document(suffix, FEED, [ENTRY, UNDATED]).decode()
    assert ("undated@dday.example" in body) == (suffix != "ics")


def test_the_newest_change_comes_first_in_the_news_and_the_earliest_day_in_a_calendar():
    older = msgspec.structs.replace(
        ENTRY, uid="older@a", updated=ENTRY.created, start=ENTRY.start + timedelta(9)
    )
    for suffix in FORMATS:
        body = document(suffix, FEED, [older, ENTRY]).decode()
        assert body.index("0a1b2c@dday.example") < body.index("older@a")


def test_json_ld_speaks_schema_org():
    entry = msgspec.structs.replace(
        ENTRY, state="rescheduled", previous_start=date(2026, 3, 31), title="서밋 </script>"
    )
    body = jsonld.render(entry, super_event=DAY)
    assert b"</script>" not in body
    node = msgspec.json.decode(body)
    assert node["name"] == "서밋 </script>"
    assert (node["startDate"], node["previousStartDate"]) == ("2026-04-07T14:00:00+09:00", "2026-03-31")
    assert node["eventStatus"] == "https://schema.org/EventRescheduled"
    assert node["location"][0]["address"]["addressLocality"] == "서울"
    assert node["superEvent"]["name"] == DAY.title


def test_json_ld_counts_the_last_day_in_and_guesses_no_date():
    node = msgspec.json.decode(jsonld.render(DAY))
    assert (node["startDate"], node["endDate"]) == ("2026-04-07", "2026-04-09")
    assert "startDate" not in msgspec.json.decode(jsonld.render(UNDATED))


def test_json_ld_tells_online_from_both():
    online = msgspec.structs.replace(ENTRY, spot=Spot(online="https://meet.example/a"))
    both = msgspec.structs.replace(ENTRY, spot=Spot(online="https://meet.example/a", city="서울"))
    modes = [msgspec.json.decode(jsonld.render(one))["eventAttendanceMode"] for one in (online, both)]
    assert [mode.rpartition("/")[2] for mode in modes] == [
        "OnlineEventAttendanceMode",
        "MixedEventAttendanceMode",
    ]


def test_an_instant_is_an_instant_in_every_format():
    assert isinstance(ENTRY.start, datetime) and ENTRY.timed and not DAY.timed and not UNDATED.timed
