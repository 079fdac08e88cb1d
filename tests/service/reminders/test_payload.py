import msgspec

from service.reminders.messages import formats, standard
from service.reminders.plan import Planned, plan
from tests.service.reminders.making import LONG_AGO, LONG_HENCE, candidate, document, event, utc, webhook

DUE = utc("2025-08-29 00:00")


def planned() -> Planned:
    found = plan([candidate(event(), number=3)], [webhook("start P7D")], after=LONG_AGO, until=LONG_HENCE)
    return found[0]


def test_a_standard_reminder_is_what_the_contract_shows() -> None:
    shown = document(event(), now=DUE, revision=3)
    body = standard.reminder(planned(), event=shown, now=DUE)
    assert body == (
        b'{"type":"event.reminder","timestamp":"2025-08-29T00:00:00Z","data":{"event":' + shown + b","
        b'"reminder":{"anchor":"start","before":"P7D","anchor_at":"2025-09-04T15:00:00Z",'
        b'"due_at":"2025-08-29T00:00:00Z","late_seconds":0},"webhook":"whk_1","revision":3}}'
    )


def test_lateness_is_told_from_a_minute_on() -> None:
    def late(text: str) -> int:
        body = msgspec.json.decode(standard.reminder(planned(), event=b"{}", now=utc(text)))
        seconds: int = body["data"]["reminder"]["late_seconds"]
        return seconds

    assert [late("2025-08-29 00:01"), late("2025-08-29 00:02"), late("2025-08-31 00:00")] == [0, 120, 172_800]


def test_a_notice_of_change_carries_what_changed_and_what_was() -> None:
    told = msgspec.structs.replace(planned(), type="event.rescheduled")
    change = formats.ChangeDetails(changed=("start", "end"), previous={"start": "2025-09-05", "end": None})
    body = msgspec.json.decode(
        formats.notice(told, webhook(), event=b'{"id":"summit"}', change=change, page=None)
    )
    assert body == {
        "type": "event.rescheduled",
        "timestamp": "2025-08-29T00:00:00Z",
        "data": {
            "event": {"id": "summit"},
            "changed": ["start", "end"],
            "previous": {"start": "2025-09-05", "end": None},
            "webhook": "whk_1",
            "revision": 3,
        },
    }


def test_a_notice_about_something_that_left_no_document_has_a_null_event() -> None:
    body = standard.notice(planned(), event=None, changed=(), previous={})
    assert b'"event":null' in body


def test_a_test_and_a_word_about_a_disabled_webhook_name_the_webhook() -> None:
    hook, other = webhook(), webhook(webhook_id="whk_2")
    off = msgspec.structs.replace(other, state="disabled", disabled_reason="gone")
    assert msgspec.json.decode(formats.test(hook, now=DUE)) == {
        "type": "webhook.test",
        "timestamp": "2025-08-29T00:00:00Z",
        "data": {"webhook": "whk_1", "name": "우리 팀"},
    }
    assert msgspec.json.decode(formats.disabled(hook, other=off, now=DUE)) == {
        "type": "webhook.disabled",
        "timestamp": "2025-08-29T00:00:00Z",
        "data": {"webhook": "whk_1", "disabled": "whk_2", "name": "우리 팀", "reason": "gone"},
    }
