"""What a person reads of a value that a body may not have."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from service.api import json_body
from service.catalogue.event import Event
from service.catalogue.saved_feed import NewSavedFeed
from service.errors import Unprocessable
from service.reminders.webhook import NewWebhook
from tests.service.api.feeds.world import SUMMIT, Client

HOOK = {"url": "https://example.org/", "name": "x"}
FEED = {"name": "x"}
SLUG = "It must be lower-case letters and digits, in words joined by hyphens, such as seoul-forum-2026."


@pytest.mark.parametrize(
    ("kind", "body", "pointer", "detail"),
    [
        (Event, SUMMIT | {"id": "A B"}, "/id", SLUG),
        (Event, SUMMIT | {"tags": ["ok", "A"]}, "/tags/1", SLUG),
        (Event, SUMMIT | {"start": "x"}, "/start", "It must have at least 4 characters."),
        (Event, SUMMIT | {"name": {"ko": ""}}, "/name/ko", "It must have at least 1 character."),
        (Event, SUMMIT | {"tags": ["a"] * 51}, "/tags", "It must have at most 50 values."),
        (
            Event,
            SUMMIT | {"external_ids": {"a b": "x"}},
            "/external_ids/a b",
            "It must be 1 to 40 lower-case letters, digits, dots, hyphens or underscores.",
        ),
        (
            NewWebhook,
            HOOK | {"reminders": [{"anchor": "middle", "before": "P1D"}]},
            "/reminders/0/anchor",
            "It must be one of closes, end, opens, start.",
        ),
        (NewWebhook, HOOK | {"lang": "fr"}, "/lang", "It must be one of en, ko."),
        (NewWebhook, HOOK | {"signing": []}, "/signing", "It must have at least 1 value."),
        (
            NewWebhook,
            HOOK | {"remind_at": "25:00"},
            "/remind_at",
            "It must be a time of day from 00:00 to 23:59, such as 09:00.",
        ),
        (
            NewSavedFeed,
            FEED | {"options": {"windows": "x"}},
            "/options/windows",
            "It must be one of bar, both, edges, none.",
        ),
        (NewSavedFeed, FEED | {"name": 5}, "/name", "Expected `str | object`, got `int`."),
    ],
)
def test_a_refusal_says_which_values_there_are(kind: Any, body: Any, pointer: str, detail: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        json_body.convert(body, kind)
    assert [(fault.pointer, fault.detail) for fault in refused.value.errors] == [(pointer, detail)]


def test_one_of_several_kinds_is_told_the_kinds_it_may_be() -> None:
    with pytest.raises(Unprocessable) as refused:
        json_body.convert(HOOK | {"filter": {"kind": "x"}}, NewWebhook)
    [fault] = refused.value.errors
    assert fault.detail.startswith("It must be one of ") and "forum" in fault.detail


def test_every_pattern_of_a_body_has_words_for_people(shared: Client) -> None:
    schemas = shared.get("/v1/openapi.json").json()["components"]["schemas"]
    patterns = set(_patterns(schemas))
    assert patterns == set(json_body.FORMS)
    assert all(re.compile(pattern) for pattern in patterns)


def _patterns(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("pattern"), str):
            yield node["pattern"]
        for name, inner in node.items():
            yield from [name] if name.startswith("^") else []
            yield from _patterns(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _patterns(inner)
