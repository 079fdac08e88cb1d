"""The national fake answers as the national APIs do, and its script is one that links can follow."""

import gzip
import json
import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from urllib.request import Request, urlopen

import pytest

from service.sources.links import match
from service.sources.records import Organizer, Record
from tests.support.national import APIS, KEY, MOVED, REISSUED, REISSUED_AS, NationalFake, calls_on
from tests.support.sample_calls import SampleCall

TODAY = date(2026, 11, 29)
PORTAL = "/1421000/bizinfo/pblancBsnsService?dataType=json"
OWN = "/uss/rss/bizinfoApi.do?dataType=json"
KSTARTUP = "/B552735/kisedKstartupService01/getAnnouncementInformation01?"


@pytest.fixture
def fake() -> Iterator[NationalFake]:
    with NationalFake(TODAY) as serving:
        yield serving


def get(fake: NationalFake, target: str) -> bytes:
    with urlopen(fake.url + target) as reply:
        return reply.read()


def listed(fake: NationalFake, target: str) -> dict[str, Any]:
    return json.loads(get(fake, target))


def test_at_least_forty_calls_are_open_or_to_come_and_each_says_it_is_a_sample(fake: NationalFake) -> None:
    rows = listed(fake, f"{OWN}&crtfcKey={KEY}")["jsonArray"]
    assert len(rows) == rows[0]["totCnt"] == 44
    assert all(row["pblancNm"].startswith("[예시] ") and "예시 데이터" in row["bsnsSumryCn"] for row in rows)
    days = [re.findall(r"\d{4}-\d\d-\d\d", row["reqstBeginEndDe"]) for row in rows]
    assert all(found[1] > TODAY.isoformat() for found in days if found)


def test_the_portal_lists_in_pages_and_one_item_is_an_object_and_none_an_empty_text(
    fake: NationalFake,
) -> None:
    def items(page: int) -> object:
        return listed(fake, f"{PORTAL}&serviceKey={KEY}&numOfRows=43&pageNo={page}")["response"]["body"][
            "items"
        ]

    first, second, third = items(1), items(2), items(3)
    assert isinstance(first, dict) and len(first["item"]) == 43
    assert isinstance(second, dict) and isinstance(second["item"], dict)
    assert third == ""


def test_the_portal_tells_what_changed_since_a_day(fake: NationalFake) -> None:
    fake.scene = "moved"
    body = listed(fake, f"{PORTAL}&serviceKey={KEY}&numOfRows=500&updtPnttm={TODAY:%Y%m%d}")["response"][
        "body"
    ]
    assert body["totalCount"] == 1
    moved = next(call for call in calls_on("list", TODAY) if call.number == MOVED)
    assert moved.closes is not None
    assert body["items"]["item"]["reqstBeginEndDe"].endswith(f"~ {moved.closes + timedelta(days=14)}")


def test_whoever_names_the_parameters_wrongly_gets_ten_rows_of_xml(fake: NationalFake) -> None:
    body = get(fake, f"{KSTARTUP}ServiceKey={KEY}&numOfRows=100&resultType=json")
    assert body.startswith(b"<?xml") and body.count(b"<item>") == 10


@pytest.mark.parametrize("path", APIS)
def test_a_missing_key_and_a_spent_quota_answer_200_and_list_nothing(fake: NationalFake, path: str) -> None:
    assert "[예시]" not in get(fake, path).decode()
    fake.scene = "quota"
    body = get(fake, f"{path}?{APIS[path].key_parameter}={KEY}").decode()
    assert "[예시]" not in body and re.search("EXCEEDS|초과", body)


def test_both_portals_list_the_same_events_under_the_same_ids(fake: NationalFake) -> None:
    own = listed(fake, f"/uss/rss/bizinfoEventApi.do?crtfcKey={KEY}")["jsonArray"]
    asked = Request(f"{fake.url}/ione-gw/api/event/list", b"{}", {"Authorization": f"Bearer {KEY}"})
    with urlopen(asked) as reply:
        portal = json.loads(reply.read())["result"]["result"]["RECORD"]
    assert [row["eventInfoId"] for row in own] == [row["evntInfoId"] for row in portal]
    assert [row["eventBeginEndDe"] for row in own] == [row["evntPrdCn"] for row in portal]


def test_half_a_list_has_the_total_of_the_whole(fake: NationalFake) -> None:
    fake.scene = "half"
    rows = listed(fake, f"{OWN}&crtfcKey={KEY}")["jsonArray"]
    assert (len(rows), rows[0]["totCnt"]) == (21, 43)


def test_only_views_row_numbers_and_blobs_move_from_one_reading_to_the_next(fake: NationalFake) -> None:
    target = f"{KSTARTUP}ServiceKey={KEY}&returnType=json&perPage=100"
    one, two = (listed(fake, target)["data"] for _ in range(2))
    moved = {name for a, b in zip(one, two, strict=True) for name in a if a[name] != b[name]}
    assert moved == {"id", "aply_mthd_eml_rcpt_istc"}


def test_html_and_a_bomb_come_where_a_list_was_asked_for(fake: NationalFake) -> None:
    fake.scene = "html"
    assert get(fake, f"{OWN}&crtfcKey={KEY}").startswith(b"<!doctype html>")
    fake.scene = "bomb"
    packed = get(fake, f"{OWN}&crtfcKey={KEY}")
    assert len(packed) < 200_000 and len(gzip.decompress(packed)) > 64 << 20
    assert b"<!DOCTYPE" in get(fake, f"{KSTARTUP}ServiceKey={KEY}")


def record(source: str, call: SampleCall) -> Record:
    return Record(
        external_id=f"{source}:{call.number}",
        kind="call",
        title=call.title,
        organizations=(Organizer(role="operator", name=call.operator),),
        published=call.published,
        end=call.closes.isoformat() if call.closes else None,
    )


def test_links_follow_the_script_the_reissued_call_amends_and_no_two_calls_are_one() -> None:
    before = {call.number: call for call in calls_on("list", TODAY)}
    after = {call.number: call for call in calls_on("reissued", TODAY)}
    new = record("bizinfo", after[REISSUED_AS])
    verdicts = {number: match(record("bizinfo", call), new).verdict for number, call in before.items()}
    assert {number for number, verdict in verdicts.items() if verdict in ("same", "amends")} == {REISSUED}
    linked = {
        (a.number, b.number)
        for a in before.values()
        for b in before.values()
        if match(record("bizinfo", a), record("kstartup", b)).verdict in ("same", "amends")
    }
    assert linked == {(number, number) for number in before}
