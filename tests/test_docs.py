"""What the guides say can be typed and followed."""

import re
import shlex
from pathlib import Path

import pytest
import rich_click as click

from service.cli import main

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
BLOCK = re.compile(r"^```(?:console|sh)\n(.*?)^```", re.MULTILINE | re.DOTALL)

CALL = re.compile(r"(?:^|[\s(])dday ")


def named(page):
    return str(page.relative_to(ROOT))


def typed(page):
    """Every call of dday in a block of commands, as its words."""
    for block in BLOCK.findall(page.read_text("utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line.removeprefix("$ "), comments=True) if CALL.search(line) else []
            for place, word in enumerate(words):
                if word == "dday" or word.endswith("(dday"):
                    yield [each.rstrip(")") for each in words[place + 1 :]]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_to_a_file(page):
    links = LINK.findall(page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def unknown(words):
    """The words of a call that the command line does not know: a command, or a flag."""
    command, context = main, click.Context(main)
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        if name not in command.list_commands(context):
            return [name]
        _, command, _ = command.resolve_command(context, [name])
    flags = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    return [word for word in rest if word.startswith("--") and word not in flags]


@pytest.mark.parametrize("page", [page for page in PAGES if any(typed(page))], ids=named)
def test_every_command_can_be_typed(page):
    assert [(words, unknown(words)) for words in typed(page) if unknown(words)] == []


def test_the_map_of_the_house_names_rooms_that_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    paths = re.findall(r"`((?:service|feeds|tests|docs|seeds)/[\w/.]+)`", text)
    assert len(paths) > 15
    assert [path for path in paths if not (ROOT / path).exists()] == []
