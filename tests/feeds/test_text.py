"""No text can break a calendar line, and every text comes back as it was meant."""

import subprocess
import sys
import unicodedata
from datetime import datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar.parser import unescape_backslash

from feeds.entry import Entry, EntryError
from feeds.foreign_ical import read
from feeds.formats import document
from feeds.ical import NAMELESS
from feeds.text import clean, closed, escaped, folded, link, one_line
from tests.feeds.outlines import faults_of, filled_with, outline_faults
from tests.feeds.samples import ENTRY, FEED, NASTY, entries, texts


def titled(text: str) -> Entry:
    return msgspec.structs.replace(ENTRY, title=text, description=text)


@given(texts)
@settings(max_examples=200)
def test_a_text_comes_back_as_it_was_meant(text):
    [found] = read(document("ics", FEED, [titled(text)])).events
    assert (found.title, found.description) == (one_line(text) or NAMELESS, clean(text).strip())


@pytest.mark.campaign(minutes=0.5)
@given(texts)
@settings(max_examples=5_000)
def test_five_thousand_texts_come_back_as_they_were_meant(text):
    written = document("ics", FEED, [titled(text)])
    assert outline_faults(written, [titled(text)]) == []
    [found] = read(written).events
    assert (found.title, found.description) == (one_line(text) or NAMELESS, clean(text).strip())


@given(entries())
@settings(max_examples=80)
def test_no_line_is_long_and_none_is_injected(entry):
    for profile in ("plain", "rich"):
        assert outline_faults(document("ics", FEED, [entry], profile=profile), [entry]) == []


@pytest.mark.parametrize("text", NASTY)
def test_no_field_lets_a_nasty_text_through(text):
    """Every field a text can stand in, of the entry and of the feed, in every format."""
    assert faults_of(*filled_with(text)) == []


def test_no_field_lets_a_nasty_text_through_without_asserts():
    """What guards a line must not be an assert, which `python -O` drops."""
    command = [sys.executable, "-O", "-m", "tests.feeds.outlines"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[2])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("uid", ["", "a b", "a\r\nX:1", "a;b", "a,b", "가@b", "a:b", 'a"b', "a\\b", "a\x00"])
def test_an_identifier_that_could_break_a_line_is_refused(uid):
    with pytest.raises(EntryError):
        document("ics", FEED, [msgspec.structs.replace(ENTRY, uid=uid)])


def test_a_floating_time_is_refused():
    with pytest.raises(EntryError):
        document("ics", FEED, [msgspec.structs.replace(ENTRY, updated=datetime(2026, 1, 1))])  # noqa: DTZ001


def test_cleaning_twice_is_cleaning_once():
    for text in NASTY:
        once = clean("가" + text + "나")
        assert clean(once) == once == unicodedata.normalize("NFC", once)


# UAX #9: embeddings (LRE, RLE), overrides (LRO, RLO) and isolates (LRI, RLI, FSI), and what closes them.
EMBEDDING, ISOLATE, POP, POP_ISOLATE = "\u202a\u202b\u202d\u202e", "\u2066\u2067\u2068", "\u202c", "\u2069"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("\u202eabc", "\u202eabc\u202c"),
        ("\u2067가\u202bb", "\u2067가\u202bb\u202c\u2069"),
        ("\u2067가\u202bb\u2069c", "\u2067가\u202bb\u2069c"),
        ("a\u202cb\u2069c", "abc"),
        ("\u2066a\u202cb", "\u2066ab\u2069"),
        ("\u202ea\nb", "\u202ea\u202c\nb"),
        ("\u202aa\u202c 서울", "\u202aa\u202c 서울"),
        ("서울", "서울"),
    ],
)
def test_what_sets_the_direction_of_letters_is_closed_on_its_line(written, shown):
    assert closed(written) == shown


@given(st.text(alphabet=EMBEDDING + ISOLATE + POP + POP_ISOLATE + "a가\n"))
def test_a_closed_text_leaves_what_follows_alone_and_closes_nothing_before_it(text):
    """Held to the stack of UAX #9 X1 to X8, which knows no mending."""
    for line in clean(text).split("\n"):
        stack: list[str] = []
        for character in line:
            if character in EMBEDDING + ISOLATE:
                stack.append(character)
            elif character == POP:
                assert stack.pop() in EMBEDDING
            elif character == POP_ISOLATE:
                while stack.pop() not in ISOLATE:
                    pass
        assert stack == []
    assert clean(clean(text)) == clean(text)


@given(st.text())
def test_every_escaped_text_unescapes_to_itself(text):
    assert unescape_backslash(escaped(text)) == text


def test_a_fold_never_splits_a_character_an_escape_or_a_blank():
    line = ("DESCRIPTION:" + "\\\\" * 40 + "가" * 40 + " " * 5 + "👩‍👩‍👧‍👦" * 20).encode()
    parts = folded(line).split(b"\r\n ")
    assert b"".join(parts) == line
    assert all(len(part) <= 75 and (len(part) - len(part.rstrip(b"\\"))) % 2 == 0 for part in parts)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://dday.example/a?b=c&d=%20e;f,g#h", "https://dday.example/a?b=c&d=%20e;f,g#h"),
        ("https://예제.kr/가", "https://%EC%98%88%EC%A0%9C.kr/%EA%B0%80"),
        *(
            (bad, None)
            for bad in (
                "javascript:alert(1)",
                "file:///etc/passwd",
                "https://a b",
                "https://a\r\nX:1",
                'https://a"b',
                "https://",
                None,
            )
        ),
    ],
)
def test_only_whole_web_addresses_are_links(url, shown):
    assert link(url) == shown
