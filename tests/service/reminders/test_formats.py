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

from service.catalogue.event import Edition, Event, Evidence, Language, Place, Text
from service.reminders import discord, formats, message, slack, wording
from service.reminders.formats import Change
from service.reminders.message import Message
from service.reminders.plan import plan
from service.reminders.planned import Kind, Planned
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

GOLDEN = Path(__file__).parents[2] / "golden" / "messages"
PAGE = "https://dday.example/events/{}"
CHATS: tuple[Any, ...] = ("slack", "discord", "teams")

CHALLENGE = call(
    "startup-challenge-2026-call",
    name=Text(ko="2026 스타트업 챌린지 모집", en="Startup Challenge 2026: call"),
    start="2026-03-02",
    end="2026-03-27T18:00",
    edition=Edition(label="2026"),
    apply_url="https://k-startup.example/apply?id=1&lang=ko",
    url="https://mss.example/notice",
)
SEOULCON = event(
    "seoulcon-2025",
    name=Text(ko="서울콘 2025", en="SeoulCon 2025"),
    start="2025-12-29",
    end="2026-01-01",
    place=Place(name=Text(ko="동대문디자인플라자(DDP)", en="Dongdaemun Design Plaza"), city="서울"),
    url="https://seoulcon.example",
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


def noticed(made: Event, kind: Kind, previous: dict[str, object], now: datetime, **hook: Any) -> bytes:
    told = msgspec.structs.replace(planned(event(made.id), "start P7D"), type=kind)
    change = Change(changed=tuple(previous), previous=previous)
    shown = document(made, now=now)
    return formats.notice(told, webhook(**hook), event=shown, change=change, page=PAGE.format(made.id))


MOVED: dict[str, object] = {"start": "2025-12-30", "end": None, "place": {}}
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
    "created": partial(noticed, SEOULCON, "event.created", NEW, OCTOBER),
    "deleted": partial(noticed, SEOULCON, "event.deleted", GONE, OCTOBER),
    "cancelled": partial(noticed, SEOULCON, "event.cancelled", {"status": "scheduled"}, OCTOBER),
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
        ("rescheduled", "일정 변경 · 서울콘 2025"),
    ],
)
def test_the_headline_says_it_all_in_one_line(case: str, headline: str) -> None:
    assert json.loads(CASES[case](format="teams", lang="ko"))["summary"] == headline


@pytest.mark.parametrize("lang", ["ko", "en"])
@pytest.mark.parametrize(("kind", "previous"), [("event.created", NEW), ("event.deleted", GONE)])
def test_what_is_new_or_gone_is_told_as_it_is_and_never_as_changed(
    kind: Kind, previous: dict[str, object], lang: Language
) -> None:
    told = msgspec.structs.replace(planned(SEOULCON, "start P7D"), type=kind)
    shown = document(SEOULCON, now=OCTOBER)
    said = message.notice(told, event=shown, previous=previous, lang=lang, page=None)
    words = wording.WORDS[lang]
    assert [row.label for row in said.rows] == [words.when, words.where]


def test_a_new_event_says_how_certain_it_is() -> None:
    told = msgspec.structs.replace(planned(UNSURE, "closes P7D"), type="event.created")
    said = message.notice(told, event=document(UNSURE, now=OCTOBER), previous=NEW, lang="ko", page=None)
    words = wording.WORDS["ko"]
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


@given(st.text(max_size=5000), st.text(max_size=5000), st.sampled_from(CHATS))
def test_no_text_breaks_a_format_or_its_limits(title: str, place: str, chat: Any) -> None:
    said = Message(
        lang="ko",
        tone="calm",
        headline=message.plain(title),
        rows=(message.Row(label="어디서", text=message.plain(place)),) * 8,
        notes=(message.plain(place),) * 8,
        links=(message.Link(label="자세히", url="https://example.org"),),
    )
    body = json.loads(formats.CHATS[chat](said))
    if chat == "slack":
        assert len(body["blocks"][0]["text"]["text"]) <= 150
        assert all(len(field["text"]) <= 2000 for field in body["blocks"][1]["fields"])
    if chat == "discord":
        embed = body["embeds"][0]
        texts = [embed["title"], embed.get("description", "")]
        texts += [text for field in embed.get("fields", ()) for text in (field["name"], field["value"])]
        assert len(embed["title"]) <= 256 and sum(map(len, texts)) <= 6000


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
