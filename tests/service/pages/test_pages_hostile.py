"""Whatever the texts of the catalogue say, a page keeps its shape: text stays text, links stay http(s)."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import msgspec
import pytest

from feeds.text import closed
from service.catalogue import validation, view, windows
from service.catalogue.event import (
    Alias,
    Edition,
    Event,
    Evidence,
    Organization,
    Participation,
    Place,
    Program,
    Related,
    Series,
    Source,
    Text,
)
from service.pages import event_page, group_page, home_page
from service.pages.components import PhasedEvent
from service.pages.group_page import GroupMaterial
from service.pages.home_page import HomeMaterial
from service.pages.queries import EventMaterial, Tie
from service.pages.templating import render
from service.store.revisions import Revision
from tests.service.pages.html_reader import read

NOW = datetime(2025, 8, 20, 3, tzinfo=UTC)
BASE = "https://dday.example"
PAYLOADS = 1_000
VECTORS = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "-->",
    "]]>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    '" onmouseover="alert(1)',
    "' onfocus='alert(1)' autofocus='",
    "` onclick=alert(1) `",
    "javascript:alert(1)",
    "jav&#x09;ascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "</textarea><a href=//evil>",
    "</style><link rel=stylesheet href=//evil>",
    "<base href=//evil/>",
    "<meta http-equiv=refresh content=0;url=//evil>",
    "{{ 7 * 7 }}",
    "{% include 'layout.html' %}",
    "${alert(1)}",
    "&lt;script&gt;",
    "&#60;script&#62;",
    "\\u003cscript\\u003e",
    "%3Cscript%3E",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<math><mi//xlink:href='data:x,<script>alert(1)</script>'>",
    "<a href='javascript:alert(1)'>x</a>",
    "<form action=//evil><input type=submit>",
    "<details open ontoggle=alert(1)>",
    "<x\nonclick=alert(1)>",
    "<\tscript>",
    "\u2028</script\u2029>",
    "\u202e<tpircs>",
    "＜script＞",
    "ſcript <ſcript>",
    "<scr\u00adipt>",
    '"><',
    "'><",
    "/>",
    "<?php",
    "<![CDATA[<script>]]>",
)
FILLING = (
    "",
    " ",
    "a",
    "'",
    '"',
    "<",
    ">",
    "&",
    "=",
    "/",
    "\\",
    "`",
    "é",
    "\u200b",
    "\u2028",
    "\ufeff",
    "😀",
)


def payloads() -> Iterator[str]:
    chance = random.Random(5)
    for _ in range(PAYLOADS):
        parts = [
            chance.choice(FILLING),
            chance.choice(VECTORS),
            chance.choice(FILLING),
            chance.choice(VECTORS),
        ]
        yield "".join(parts[: chance.choice((2, 3, 4))])


def text(field: str, payload: str) -> Text:
    return Text(ko=f"{field} ko {payload}", en=f"{field} en {payload}", translated=("en",))


def event(payload: str, identifier: str = "x", **more: Any) -> Event:
    written = {
        "id": identifier,
        "kind": "application_window",
        "name": text("name", payload),
        "summary": text("summary", payload),
        "start": "2025-08-01",
        "end": "2025-08-25",
        "close_text": f"closing {payload}".replace("\n", " ").replace("\t", " "),
        "place": Place(name=text("place", payload), address=f"address {payload}", city=f"city {payload}"),
        "edition": Edition(label=f"edition {payload}", number=3),
        "organizations": (Participation(id="o", role="host"),),
        "evidence": (
            Evidence(
                field="end", value="2025-08-25", source="s", quote=payload[:120], note=f"note {payload}"
            ),
            Evidence(field="end", value="2025-08-27", source="s"),
            Evidence(field="claim", value=f"claim {payload}", source="s", rank="deprecated"),
            Evidence(field="place", value=f"where {payload}", source="gone"),
        ),
        **more,
    }
    return Event(**written)


def seen(of: Event) -> PhasedEvent:
    bytes_ = view.document(of, previous_dates=(), revision=1, seq=1, created_at=NOW, updated_at=NOW)
    phase = windows.phase_at(windows.phase_steps(of, seen=None), NOW)
    return PhasedEvent(document=msgspec.json.decode(bytes_, type=view.Document), phase=phase)


def material(payload: str) -> EventMaterial:
    one = seen(event(payload, related=(Related(relation="about", event="y"),)))
    source = Source(id="s", title=f"title {payload}", kind="news", publisher=f"publisher {payload}")
    body = Organization(id="o", name=text("organization", payload))
    return EventMaterial(
        seen=one,
        uid="u@dday",
        around={},
        series=Series(id="e", name=text("series", payload)),
        program=Program(id="p", name=text("program", payload)),
        parent=seen(event(payload, "parent")),
        organizations={"o": body},
        sources={"s": source},
        children=(seen(event(payload, "child")),),
        editions=(),
        calls=(),
        ties=(Tie(relation="about", seen=seen(event(payload, "y")), backward=False),),
    )


def pages(payload: str) -> Iterator[bytes]:
    found = material(payload)
    program = Program(
        id="p",
        name=text("program", payload),
        summary=text("s", payload),
        aliases=(Alias(text=f"alias {payload}"),),
    )
    group = GroupMaterial(
        kind="program",
        noun=program,
        has_feed=True,
        seen=found.children,
        organizations=dict(found.organizations),
        above=None,
        below=(("programs", "q", program),),
    )
    log = Revision(
        seq=1,
        noun="event",
        id="x",
        op="put",
        revision=1,
        uid="u",
        changes=(),
        document=None,
        cause=payload,
        at=NOW,
    )
    home = HomeMaterial(
        closing=(found.seen,),
        open=(),
        opening=(),
        upcoming=(),
        past=(),
        changed=((log, found.seen),),
        shelves=(("programs", (program,)),),
    )
    yield render("event.html", event_page.page(found, now=NOW, lang="ko", base_url=BASE))
    yield render("group.html", group_page.page(group, now=NOW, lang="en", base_url=BASE))
    yield render("home.html", home_page.page(home, now=NOW, lang="en", base_url=BASE))


@pytest.mark.parametrize("count", [100, pytest.param(PAYLOADS, marks=pytest.mark.campaign)])
def test_no_text_breaks_out_of_its_place(count: int) -> None:
    harmless = [read(page) for page in pages("harmless")]
    for payload in islice(payloads(), count):
        for page, plain in zip(pages(payload), harmless, strict=True):
            found = read(page)
            assert found.shape == plain.shape, payload
            assert all(link.startswith(("/", "#", "https://", "webcal://")) for link in found.links)
            assert not any(link.startswith("//") for link in found.links)
            for script in found.scripts:
                json.loads(script)


def test_a_text_reads_as_it_was_written() -> None:
    payload = VECTORS[0] + "{{ 7 * 7 }} &amp; \"quoted\" 'so'"
    page = next(pages(payload))
    assert f"name ko {payload}" in read(page).text
    [script] = read(page).scripts
    assert json.loads(script)["name"] == f"name ko {payload}"


def test_no_text_turns_round_the_words_behind_it() -> None:
    for payload in ("\u202eabc", "\u2067가\u202b", "a\u202cb\u2069c"):
        for page in pages(payload):
            found = read(page)
            shown = [*found.pieces, *(value for _, _, value in found.attributes), *found.scripts]
            assert [piece for piece in shown if closed(piece) != piece] == []
            assert any("abc" in piece or "가" in piece for piece in found.pieces)


URLS = (
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "https://a.example/'onclick=",
    'https://a.example/"><script>alert(1)</script>',
    "https://a.example/<b>",
    "https://a.example/`x`",
    "data:text/html,x",
    "//evil.example",
    "vbscript:x",
    "http://a.example/\u2028x",
)


@pytest.mark.parametrize("url", URLS)
def test_an_address_is_http_or_is_not_there(url: str) -> None:
    found = material("x")
    spoiled = msgspec.structs.replace(
        found.seen.document,
        url=url,
        apply_url=url,
        place=Place(online_url=url),
    )
    source = msgspec.structs.replace(found.sources["s"], url=url)
    shown = msgspec.structs.replace(
        found, seen=msgspec.structs.replace(found.seen, document=spoiled), sources={"s": source}
    )
    page = read(render("event.html", event_page.page(shown, now=NOW, lang="ko", base_url=BASE)))
    assert {link.partition(":")[0] for link in page.links if ":" in link} <= {"https", "http"}
    assert {tag for tag, _ in page.shape} == {tag for tag, _ in read(next(pages("x"))).shape}


def test_such_addresses_do_not_even_get_in() -> None:
    for url in ("javascript:alert(1)", "data:text/html,x", "//evil.example"):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"id": "x", "kind": "other", "name": {"ko": "x"}, "url": url}, Event)


def test_the_texts_of_this_test_pass_the_rules() -> None:
    passed = 0
    for payload in payloads():
        if "\u2028" not in payload and "\n" not in payload and "\t" not in payload:
            validation.check(event(payload, related=()))
            passed += 1
    assert passed > PAYLOADS / 2
