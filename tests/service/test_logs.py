"""The log is one JSON object a line, with what the caller added."""

import logging
import re
import sys
from pathlib import Path

import msgspec

import service
from service.logs import PLAIN, JsonLines, PlainLines

LOGGER = re.compile(r"getLogger\(([^)]*)\)")


def record(message, *args, exc_info=None, **extra):
    made = logging.LogRecord("service.x", logging.WARNING, "x.py", 1, message, args, exc_info)
    vars(made).update(extra)
    return made


def test_a_line_says_when_how_grave_who_and_what():
    line = msgspec.json.decode(JsonLines().format(record("reminders are %d s late", 31)))
    assert line.pop("at").endswith("+00:00")
    assert line == {"level": "warning", "logger": "service.x", "message": "reminders are 31 s late"}


def test_extra_fields_are_part_of_the_line():
    line = msgspec.json.decode(JsonLines().format(record("x", webhook="whk_1", since=object)))
    assert (line["webhook"], line["since"]) == ("whk_1", str(object))


def test_a_line_break_does_not_make_a_second_line():
    assert "\n" not in JsonLines().format(record("a\nb"))


def test_a_traceback_is_in_its_line():
    try:
        raise ValueError("odd")
    except ValueError:
        line = JsonLines().format(record("x", exc_info=sys.exc_info()))
    assert msgspec.json.decode(line)["traceback"].endswith("ValueError: odd")


def test_no_line_holds_the_token_of_a_private_feed():
    token = "abcdefgh_" + "A" * 43
    try:
        raise ValueError(f"GET https://dday.example/feeds/p/{token}/team.ics failed")
    except ValueError:
        exc_info = sys.exc_info()
    line = record("%s failed", f"/feeds/p/{token}/team.ics", exc_info=exc_info, path=f'"/feeds/p/{token}"')
    for form in (JsonLines(), PlainLines(PLAIN)):
        text = form.format(line)
        assert token not in text and "A" * 43 not in text
        assert "/feeds/p/…/team.ics failed" in text
    told = msgspec.json.decode(JsonLines().format(line))
    assert (told["message"], told["path"]) == ("/feeds/p/…/team.ics failed", '"/feeds/p/…"')


def test_every_logger_is_named_after_its_module_so_that_dday_log_reaches_it():
    """`configure` sets the level of `service` and `feeds`, and of everything below them."""
    root = Path(service.__file__).parent.parent
    files = [file for package in ("service", "feeds") for file in (root / package).rglob("*.py")]
    named = [(file.name, name) for file in files for name in LOGGER.findall(file.read_text("utf-8"))]
    assert [(file, name) for file, name in named if name != "__name__" and file != "logs.py"] == []
