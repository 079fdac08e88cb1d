"""Messages for people, against golden files (`GOLDEN=write pytest …` writes them anew; review the diff)."""

import json
import os
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.catalogue import vocabulary
from service.catalogue.event import Edition, Event, Evidence, Language, Place, Status, Text
from service.reminders import preview
from service.reminders.messages import chat, discord, formats, slack
from service.reminders.messages import chat as message
from service.reminders.messages import phrases as wording
from service.reminders.messages.chat import ChatMessage
from service.reminders.messages.formats import ChangeDetails
from service.reminders.plan import MessageType, Planned, plan
from tests.service.reminders.making import (
    LONG_AGO,
    LONG_HENCE,
    call,
    candidate,
    document,
    event,
    utc,
    webhook,
)
from tests.support.backed import backed

GOLDEN = Path(__file__).parents[2] / "golden" / "messages"
PAGE = "https://dday.example/events/{}"
CHATS: tuple[Any, ...] = ("slack", "discord", "teams")

CHALLENGE = backed(
    call(
        "startup-challenge-2026-call",
        name=Text(ko="2026 스타트업 챌린지 모집", en="Startup Challenge 2026: call"),
        start="2026-03-02",
        end="2026-03-27T18:00",
        edition=Edition(label="2026"),
        apply_url="https://k-startup.example/apply?id=1&lang=ko",
        url="https://mss.example/notice",
    )
)
SEOULCON = backed(
    event(
        "seoulcon-2025",
        name=Text(ko="서울콘 2025", en="SeoulCon 2025"),
        start="2025-12-29",
        end="2026-01-01",
        place=Place(name=Text(ko="동대문디자인플라자(DDP)", en="Dongdaemun Design Plaza"), city="서울"),
        url="https://seoulcon.example",
    )
)
CALLED_OFF = msgspec.structs.replace(SEOULCON, status="cancelled")
ABROAD = msgspec.structs.replace(
    SEOULCON, status="postponed", start="2025-12-29T10:00", timezone="America/New_York"
)
UNSURE = call(
    "voucher",
    name=Text(ko="혁신바우처 모집"),
    start="2026-02-02",
    end="2026-02-13?",
    status="tentative",
    close_rule="until_exhausted",
    close_text="예산 소진 시까지",
    evidence=(
        Evidence(field="end", value="2026-02-13", source="a"),
        Evidence(field="end", value="2026-02-20", source="b"),
    ),
)
HOSTILE = event(
    "hostile",
    name=Text(
        ko="<!channel> @everyone <https://evil.example|click> [click](https://evil.example)"
        " *b* _i_ `c` \u202egnp"
    ),
    start="2026-03-02",
    place=Place(name=Text(ko="# <@U123> &amp; https://evil.example/@here\n> quote"), city="<#C1|서울>"),
)


def planned(made: Event, rule: str) -> Planned:
    found = plan([candidate(made)], [webhook(rule)], after=LONG_AGO, until=LONG_HENCE)
    return found[0]


def reminded(made: Event, rule: str, now: datetime, **hook: Any) -> bytes:
    shown = document(made, now=now)
    page = PAGE.format(made.id)
    return formats.reminder(planned(made, rule), webhook(rule, **hook), event=shown, page=page, now=now)


def noticed(made: Event, kind: MessageType, previous: dict[str, object], now: datetime, **hook: Any) -> bytes:
    told = msgspec.structs.replace(planned(event(made.id), "start P7D"), type=kind)
    change = ChangeDetails(changed=tuple(previous), previous=previous)
    shown = document(made, now=now)
    return formats.notice(told, webhook(**hook), event=shown, change=change, page=PAGE.format(made.id))


def sampled(made: Event, now: datetime, **hook: Any) -> bytes:
    told = preview.sample_reminder(webhook(**hook), candidate(made), nonce="n", now=now)
    assert told is not None
    return formats.reminder(
        told, webhook(**hook), event=document(made, now=now), page=PAGE.format(made.id), now=now
    )


MOVED: dict[str, object] = {"start": "2025-12-30", "end": None, "place": {}}
POSTPONED: dict[str, object] = {
    "start": "2025-12-28T10:00",
    "status": "tentative",
    "summary": {},
    "timezone": "Asia/Seoul",
}
# As the log has them: nothing before a first revision; internal means deleted to everybody outside.
NEW: dict[str, object] = {"kind": None, "name": None, "start": None, "end": None, "place": None}
GONE: dict[str, object] = {"kind": "meetup", "start": "2025-12-28", "visibility": "public"}
OCTOBER = utc("2025-10-01 00:00")
OFF = msgspec.structs.replace(webhook(webhook_id="whk_2"), state="disabled", disabled_reason="gone")
CASES: dict[str, Any] = {
    "closes-in-a-week": partial(reminded, CHALLENGE, "closes P7D", utc("2026-03-20 09:00")),
    "closes-in-an-hour": partial(reminded, CHALLENGE, "closes PT1H", utc("2026-03-27 08:00")),
    "starts-today": partial(reminded, SEOULCON, "start PT0S", utc("2025-12-29 00:00")),
    "late-and-unsure": partial(reminded, UNSURE, "closes P7D", utc("2026-02-08 04:30")),
    "hostile": partial(reminded, HOSTILE, "start P7D", utc("2026-02-23 00:00")),
    "rescheduled": partial(noticed, SEOULCON, "event.rescheduled", MOVED, OCTOBER),
    "extended": partial(noticed, CHALLENGE, "event.rescheduled", {"end": "2026-03-20T18:00"}, OCTOBER),
    "created": partial(noticed, SEOULCON, "event.created", NEW, OCTOBER),
    "deleted": partial(noticed, SEOULCON, "event.deleted", GONE, OCTOBER),
    "cancelled": partial(noticed, CALLED_OFF, "event.cancelled", {"status": "scheduled"}, OCTOBER),
    "cancelled-when-new": partial(noticed, CALLED_OFF, "event.created", NEW, OCTOBER),
    "cancelled-and-updated": partial(noticed, CALLED_OFF, "event.updated", {"tags": []}, OCTOBER),
    "cancelled-sample": partial(sampled, CALLED_OFF, utc("2025-12-15 00:00")),
    "on-again": partial(noticed, SEOULCON, "event.updated", {"status": "cancelled"}, OCTOBER),
    "postponed-and-moved": partial(noticed, ABROAD, "event.postponed", POSTPONED, OCTOBER),
    "another-zone": partial(noticed, SEOULCON, "event.rescheduled", {"timezone": "Asia/Tokyo"}, OCTOBER),
    "disabled": lambda **hook: formats.disabled(webhook(**hook), other=OFF, now=OCTOBER),
    "test": lambda **hook: formats.test(webhook(**hook), now=OCTOBER),
}


@pytest.mark.parametrize("chat", CHATS)
@pytest.mark.parametrize("case", CASES)
def test_a_message_matches_its_golden_file(case: str, chat: Any) -> None:
    made = {lang: json.loads(CASES[case](format=chat, lang=lang)) for lang in ("ko", "en")}
    text = json.dumps(made, ensure_ascii=False, indent=2) + "\n"
    path = GOLDEN / f"{case}.{chat}.json"
    if os.environ.get("GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")


@pytest.mark.parametrize(
    ("case", "headline"),
    [
        ("closes-in-a-week", "D-7 · 접수 마감 · 2026 스타트업 챌린지 모집"),
        ("closes-in-an-hour", "1시간 전 · 접수 마감 · 2026 스타트업 챌린지 모집"),
        ("starts-today", "D-DAY · 시작 · 서울콘 2025"),
        ("late-and-unsure", "D-5 · 접수 마감 · 혁신바우처 모집"),
        ("rescheduled", "일정 변경 · 서울콘 2025 · 시작 2025년 12월 30일(화) → 2025년 12월 29일(월)"),
        (
            "extended",
            "일정 변경 · 2026 스타트업 챌린지 모집 · 접수 마감 2026년 3월 20일(금) 18:00"
            " → 2026년 3월 27일(금) 18:00",
        ),
    ],
)
def test_the_headline_says_it_all_in_one_line(case: str, headline: str) -> None:
    assert json.loads(CASES[case](format="teams", lang="ko"))["summary"] == headline


@pytest.mark.parametrize("lang", ["ko", "en"])
@pytest.mark.parametrize(("kind", "previous"), [("event.created", NEW), ("event.deleted", GONE)])
def test_what_is_new_or_gone_is_told_as_it_is_and_never_as_changed(
    kind: MessageType, previous: dict[str, object], lang: Language
) -> None:
    told = msgspec.structs.replace(planned(SEOULCON, "start P7D"), type=kind)
    shown = document(SEOULCON, now=OCTOBER)
    said = message.notice(told, document=shown, previous=previous, lang=lang, page=None)
    words = wording.PHRASES[lang]
    assert [row.label for row in said.rows] == [words.when, words.where]


def told_of(status: Status, kind: MessageType, previous: dict[str, object], lang: Language) -> ChatMessage:
    made = msgspec.structs.replace(SEOULCON, status=status)
    told = msgspec.structs.replace(planned(SEOULCON, "start P7D"), type=kind)
    shown = document(made, now=OCTOBER)
    if kind == "event.reminder":
        return message.reminder(told, document=shown, lang=lang, page=None, now=OCTOBER)
    return message.notice(told, document=shown, previous=previous, lang=lang, page=None)


ABOUT: tuple[tuple[MessageType, dict[str, object]], ...] = (
    ("event.reminder", {}),
    ("event.created", NEW),
    ("event.updated", {"tags": []}),
    ("event.rescheduled", {"start": "2025-12-28"}),
    ("event.deleted", GONE),
)


@pytest.mark.parametrize(
    ("lang", "status", "mark", "note"),
    [
        ("ko", "cancelled", "[취소] 서울콘 2025", "취소된 일정입니다"),
        ("ko", "postponed", "[연기] 서울콘 2025", "연기된 일정입니다"),
        ("en", "cancelled", "[cancelled] SeoulCon 2025", "This has been cancelled"),
        ("en", "postponed", "[postponed] SeoulCon 2025", "This has been postponed"),
    ],
)
@pytest.mark.parametrize(("kind", "previous"), ABOUT)
def test_whatever_a_message_is_about_it_says_that_the_event_is_off(
    kind: MessageType, previous: dict[str, object], lang: Language, status: Status, mark: str, note: str
) -> None:
    said = told_of(status, kind, previous, lang)
    assert (mark in said.headline.split(" · "), said.notes, said.tone) == (True, (note,), "over")


@pytest.mark.parametrize("chat", CHATS)
@pytest.mark.parametrize("case", ["cancelled-when-new", "cancelled-and-updated", "cancelled-sample"])
def test_every_chat_says_that_an_event_is_off(case: str, chat: Any) -> None:
    for lang, mark, note in (("ko", "취소", "취소된"), ("en", "cancelled", "has been cancelled")):
        text = CASES[case](format=chat, lang=lang).decode().replace("\\", "")
        assert f"[{mark}] " in text and note in text


@pytest.mark.parametrize(("kind", "previous"), ABOUT)
@pytest.mark.parametrize("lang", ["ko", "en"])
def test_of_an_event_that_takes_place_nothing_of_the_sort_is_said(
    kind: MessageType, previous: dict[str, object], lang: Language
) -> None:
    said = told_of("scheduled", kind, previous, lang)
    assert "[" not in said.headline and said.notes == ()


@pytest.mark.parametrize("lang", ["ko", "en"])
@pytest.mark.parametrize("status", ["cancelled", "postponed"])
def test_a_message_that_is_about_just_that_does_not_say_it_twice(status: Status, lang: Language) -> None:
    kind: MessageType = "event.cancelled" if status == "cancelled" else "event.postponed"
    said = told_of(status, kind, {"status": "scheduled"}, lang)
    assert "[" not in said.headline and said.notes == ()


@pytest.mark.parametrize(
    ("lang", "before", "after", "kind", "headline", "row", "notes"),
    [
        (
            "ko",
            "cancelled",
            "scheduled",
            "event.updated",
            "내용 변경 · [다시 진행] 서울콘 2025",
            "취소 → 확정",
            ("다시 진행하기로 한 일정입니다",),
        ),
        (
            "en",
            "cancelled",
            "scheduled",
            "event.updated",
            "Updated · [on again] SeoulCon 2025",
            "cancelled → scheduled",
            ("This is on again",),
        ),
        (
            "en",
            "postponed",
            "tentative",
            "event.rescheduled",
            "Rescheduled · [on again] SeoulCon 2025",
            "postponed → tentative",
            ("This is on again", "Tentative"),
        ),
        (
            "ko",
            "tentative",
            "scheduled",
            "event.updated",
            "내용 변경 · 서울콘 2025",
            "잠정 → 확정",
            (),
        ),
        ("ko", "postponed", "cancelled", "event.cancelled", "취소 · 서울콘 2025", "연기 → 취소", ()),
    ],
)
def test_a_change_of_status_is_told_from_what_to_what(
    lang: Language,
    before: str,
    after: Status,
    kind: MessageType,
    headline: str,
    row: str,
    notes: tuple[str, ...],
) -> None:
    said = told_of(after, kind, {"status": before}, lang)
    assert (said.headline, said.notes) == (headline, notes)
    assert said.rows[0] == message.ChatRow(label=vocabulary.pick(wording.FIELDS["status"], lang), text=row)


@pytest.mark.parametrize(("lang", "label"), [("ko", "시간대"), ("en", "Time zone")])
def test_a_move_to_another_zone_is_told_from_where_to_where(lang: Language, label: str) -> None:
    said = told_of("scheduled", "event.rescheduled", {"timezone": "America/New_York", "tags": []}, lang)
    words = wording.PHRASES[lang]
    assert said.rows[:2] == (
        message.ChatRow(label=label, text="America/New_York → Asia/Seoul"),
        message.ChatRow(label=words.changed, text=vocabulary.pick(wording.FIELDS["tags"], lang)),
    )


@pytest.mark.parametrize("lang", ["ko", "en"])
def test_the_marks_are_those_of_calendars_and_pages(lang: Language) -> None:
    for status in ("cancelled", "postponed"):
        mark = vocabulary.pick(wording.MARKS[status], lang)
        assert mark == vocabulary.pick(vocabulary.MARKS[status], lang)
        assert mark == f"[{vocabulary.pick(vocabulary.STATUSES[status], lang)}] {{}}"


def test_a_mark_survives_a_name_that_is_too_long() -> None:
    long = msgspec.structs.replace(CALLED_OFF, name=Text(ko="긴" * 300))
    shown = json.loads(noticed(long, "event.updated", {"tags": []}, OCTOBER, format="slack", lang="ko"))
    header = shown["blocks"][0]["text"]["text"]
    assert header.startswith("내용 변경 · [취소] 긴") and len(header) == 150


def test_a_new_event_says_how_certain_it_is() -> None:
    told = msgspec.structs.replace(planned(UNSURE, "closes P7D"), type="event.created")
    said = message.notice(told, document=document(UNSURE, now=OCTOBER), previous=NEW, lang="ko", page=None)
    words = wording.PHRASES["ko"]
    assert said.notes[0] == words.tentative and words.uncertain in said.notes


def test_in_english_a_name_without_a_translation_stays_as_it_is() -> None:
    shown = json.loads(CASES["late-and-unsure"](format="teams", lang="en"))["summary"]
    assert shown == "D-5 · applications close · 혁신바우처 모집"
    shown = json.loads(CASES["closes-in-an-hour"](format="teams", lang="en"))["summary"]
    assert shown == "in 1 h · applications close · Startup Challenge 2026: call"


def test_a_stranger_cannot_mention_link_or_format() -> None:
    in_slack = CASES["hostile"](format="slack", lang="ko").decode()
    sections = [block for block in json.loads(in_slack)["blocks"] if block["type"] == "section"]
    for field in sections[0]["fields"]:
        assert "<" not in field["text"] and field["verbatim"]
    in_discord = json.loads(CASES["hostile"](format="discord", lang="ko"))
    assert in_discord["allowed_mentions"] == {"parse": []}
    shown = json.dumps(in_discord["embeds"], ensure_ascii=False)
    for bait in ("@everyone", "@here", "<@U", "[click](", "https://evil"):
        assert bait not in shown


def in_javascript(text: str) -> int:
    """How long it is to who counts in UTF-16."""
    return len(text.encode("utf-16-le")) // 2


@given(st.text(), st.integers(0, 40))
def test_a_text_is_begun_as_long_as_it_may_be(text: str, most: int) -> None:
    kept = chat.utf16_prefix(text, most)
    assert text.startswith(kept) and chat.utf16_length(text) == in_javascript(text)
    assert in_javascript(kept) <= most < in_javascript(text[: len(kept) + 1]) or kept == text


LONG = st.text(max_size=5000) | st.builds(
    lambda part, times: part * times, st.text("👪가"), st.integers(0, 999)
)


@given(LONG, LONG, st.sampled_from(CHATS))
def test_no_text_breaks_a_format_or_its_limits(title: str, place: str, chat: Any) -> None:
    said = ChatMessage(
        lang="ko",
        tone="calm",
        headline=message.plain(title),
        rows=(message.ChatRow(label="어디서", text=message.plain(place)),) * 10,
        notes=(message.plain(place),) * 8,
        links=(message.ChatLink(label="자세히", url="https://example.org"),),
    )
    body = json.loads(formats.CHATS[chat](said))
    if chat == "slack":
        assert in_javascript(body["blocks"][0]["text"]["text"]) <= 150
        assert all(in_javascript(field["text"]) <= 2000 for field in body["blocks"][1]["fields"])
    if chat == "discord":
        embed = body["embeds"][0]
        texts = [embed["title"], embed.get("description", "")]
        texts += [text for field in embed.get("fields", ()) for text in (field["name"], field["value"])]
        assert in_javascript(embed["title"]) <= 256 and sum(map(in_javascript, texts)) <= 6000


@given(st.text())
def test_a_line_is_one_line_of_visible_characters(text: str) -> None:
    line = message.plain(text)
    assert "\n" not in line and "\u202e" not in line and line == line.strip()


@given(st.text(alphabet="<>&!@#*_`~|[]()\\/:htps -1.a가"))
def test_escapes_leave_no_bait(text: str) -> None:
    assert "<" not in slack.escaped(text) and ">" not in slack.escaped(text)
    escaped = discord.escaped(text)
    assert "://" not in escaped and "<@" not in escaped and "](" not in escaped.replace("\\]", "")


@pytest.mark.parametrize(
    ("text", "most", "kept"), [("a&lt;b", 5, "a…"), ("abc", 3, "abc"), ("abcd", 3, "ab…")]
)
def test_slack_cuts_no_entity_in_half(text: str, most: int, kept: str) -> None:
    assert slack.cut(text, most) == kept


def test_discord_cuts_no_escape_in_half() -> None:
    assert discord.cut("ab\\*cd", 4) == "ab…"
    assert discord.cut("ab\\\\cd", 5) == "ab\\\\…"
