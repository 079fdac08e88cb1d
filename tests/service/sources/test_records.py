"""A record crosses from the child that reads it to the process that asked."""

from datetime import date

import msgspec

from service.sources.records import Decoded, Organizer, Record, SourcePage


def test_a_page_of_records_survives_the_way_through_json() -> None:
    record = Record(
        external_id="bizinfo:PBLN_1",
        kind="call",
        title="[예시] 2026년 해양기술 창업 육성사업 모집 공고",
        organizations=(Organizer(role="operator", name="예시해양진흥원"),),
        published=date(2026, 11, 29),
        updated="2026-11-29T10:00:00",
        start="2026-11-20",
        end="2026-12-19",
    )
    page = Decoded(page=SourcePage(records=(record,), items=1, total=1))
    assert msgspec.json.decode(msgspec.json.encode(page), type=Decoded) == page
