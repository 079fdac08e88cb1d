from datetime import timedelta
from typing import Any

import msgspec
import pytest

from service.catalogue.validation import Invalid
from service.reminders import webhook as rules
from service.reminders.webhook import NewWebhook, PatchWebhook, Rate, Webhook
from tests.service.reminders.making import LONG_AGO, utc, webhook

NOW = utc("2025-08-01 00:00")


def made(**fields: Any) -> Webhook:
    body = msgspec.convert({"url": "https://example.org", "name": "팀"} | fields, NewWebhook, strict=True)
    return rules.created(body, webhook_id="whk_1", owner="key", now=NOW)


def pointers(**fields: Any) -> list[str | None]:
    with pytest.raises(Invalid) as caught:
        made(**fields)
    return [fault.pointer for fault in caught.value.faults]


def test_a_webhook_needs_a_url_and_a_name_and_has_defaults_for_the_rest() -> None:
    hook = made()
    assert (hook.format, hook.lang, hook.timezone, hook.remind_at) == (
        "standard",
        "ko",
        "Asia/Seoul",
        "09:00",
    )
    assert (hook.signing, hook.late, hook.resume, hook.state) == (("v1",), "skip", "skip", "active")


def test_offsets_are_spelt_one_way_and_repeats_are_dropped() -> None:
    hook = made(
        reminders=[{"anchor": "start", "before": text} for text in ("P1W", "P7D", "PT1440M", "PT24H", "P0D")],
        changes=["created", "created"],
        signing=["v1a"],
    )
    assert [rule.before for rule in hook.reminders] == ["P7D", "PT24H", "P0D"]
    assert hook.changes == ("created",)
    assert hook.signing == ("v1", "v1a")


def test_a_time_of_day_is_kept_and_shown_and_needs_whole_days() -> None:
    at_nine = [{"anchor": "closes", "before": before, "at": "09:00"} for before in ("P0D", "P1W", "P1D")]
    hook = made(reminders=[*at_nine, {"anchor": "closes", "before": "P0D"}])
    assert list(msgspec.to_builtins(rules.view(hook))["reminders"]) == [
        {"anchor": "closes", "before": "P0D", "at": "09:00"},
        {"anchor": "closes", "before": "P7D", "at": "09:00"},
        {"anchor": "closes", "before": "P1D", "at": "09:00"},
        {"anchor": "closes", "before": "P0D"},
    ]
    wrong = [{"anchor": "closes", "before": before, "at": "09:00"} for before in ("PT0S", "P1DT2H", "PT24H")]
    assert pointers(reminders=wrong) == [f"/reminders/{n}/at" for n in range(3)]


def test_a_rate_has_a_length_and_known_hosts_have_one_without_it() -> None:
    assert made(rate={"count": 60, "per": "PT1M"}).pace == Rate(count=60, per="PT1M")
    assert made(url="https://hooks.slack.com/services/x").pace == Rate(count=1, per="PT1S")
    assert made(url="https://discord.com/api/webhooks/1/x").pace == Rate(count=5, per="PT2S")
    assert (made().pace, Rate(count=60, per="PT1M").takes(121)) == (None, timedelta(minutes=2))
    for per in ("PT0S", "P0D", "P2D", "soon"):
        assert pointers(rate={"count": 1, "per": per}) == ["/rate/per"]


def test_every_fault_is_named_at_once() -> None:
    assert pointers(
        reminders=[{"anchor": "start", "before": "P1D"}, {"anchor": "start", "before": "P1M"}],
        timezone="Asia/Pyongyan",
        filter={"from": "2025-13-01", "q": "x", "phase": ["open"]},
        name="a\x00b",
        remind_at="09:00\n",
    ) == ["/reminders/1/before", "/filter/from", "/name", "/remind_at", "/timezone"]


@pytest.mark.parametrize(
    "fields",
    [
        {"url": 5},
        {"name": ""},
        {"format": "email"},
        {"lang": "jp"},
        {"reminders": [{"anchor": "begin", "before": "P1D"}]},
        {"reminders": [{"anchor": "start"}]},
        {"reminders": [{"anchor": "start", "before": "P1D", "after": "P1D"}]},
        {"reminders": [{"anchor": "start", "before": "P1D"}] * 21},
        {"changes": ["moved"]},
        {"remind_at": "9:00"},
        {"remind_at": "24:00"},
        {"signing": []},
        {"signing": ["v2"]},
        {"filter": {"colour": "blue"}},
        {"late": "maybe"},
        {"secret": "whsec_mine"},
        {"state": "paused"},
    ],
)
def test_what_is_no_webhook_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        made(**fields)


def test_a_patch_that_changes_nothing_makes_nothing_new() -> None:
    hook = webhook("start P7D")
    assert rules.patched(hook, PatchWebhook(name=hook.name), now=NOW) is hook


def test_new_rules_begin_when_they_are_set_and_a_new_name_does_not_start_them_anew() -> None:
    hook = webhook("start P7D")
    assert rules.patched(hook, PatchWebhook(name="다른 이름"), now=NOW).since == LONG_AGO
    assert rules.patched(hook, PatchWebhook(remind_at="10:00"), now=NOW).since == NOW


def test_a_resume_that_skips_forgets_what_came_meanwhile_and_one_that_catches_up_does_not() -> None:
    for resume, since, skipped in (
        ("skip", NOW + timedelta(1), NOW + timedelta(1)),
        ("catch_up", LONG_AGO, None),
    ):
        hook = webhook("start P7D", resume=resume)
        paused = rules.patched(hook, PatchWebhook(state="paused"), now=NOW)
        resumed = rules.patched(paused, PatchWebhook(state="active"), now=NOW + timedelta(1))
        assert (paused.state, resumed.state) == ("paused", "active")
        assert (resumed.since, resumed.skipped_until) == (since, skipped)


def test_switching_a_disabled_webhook_on_again_clears_the_reason_and_floods_nobody() -> None:
    off = msgspec.structs.replace(webhook("start P7D"), state="disabled", disabled_reason="gone")
    on = rules.patched(off, PatchWebhook(state="active"), now=NOW)
    assert (on.state, on.disabled_reason, on.skipped_until) == ("active", None, NOW)


def test_the_view_keeps_what_is_ours_to_ourselves() -> None:
    shown = msgspec.to_builtins(rules.view(webhook("start P7D")))
    assert {"owner", "since", "skipped_until", "secret"}.isdisjoint(shown)
