"""What an operator reads of deliveries: each loss once, by ids, and nothing of what was only taken back."""

import logging
from typing import Any

import pytest
from msgspec.structs import replace

from service.delivery import worker
from service.delivery.prepare import Dropped, Look
from service.delivery.worker import Turn
from service.reminders.plan import plan
from service.store.claims import Claimed
from tests.service.reminders.making import LONG_AGO, LONG_HENCE, candidate, event, webhook

HOOK = webhook("start P7D")
[PLANNED] = plan([candidate(event())], [HOOK], after=LONG_AGO, until=LONG_HENCE)


def dropped(state: str, reason: str) -> Dropped:
    claimed = Claimed(planned=PLANNED, fence=1, tries=0, abandons=0, body=None, created_at=0, replay=0)
    look = Look(delivery=PLANNED.id, webhook=PLANNED.webhook, version=1, head=1, event=None, seq=None)
    return Dropped(claimed=claimed, state=state, reason=reason, look=look)


def told(caplog: pytest.LogCaptureFixture, done: Turn) -> list[tuple[Any, ...]]:
    with caplog.at_level(logging.INFO, logger="service"):
        worker.note(done)
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def test_a_webhook_that_failed_for_days_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    off = replace(HOOK, state="disabled", disabled_reason="failing")
    assert told(caplog, Turn(disabled=(off,))) == [("WARNING", "webhook whk_1 was switched off: failing")]
    fields = vars(caplog.records[0])
    assert (fields["webhook"], fields["reason"]) == ("whk_1", "failing")


def test_a_delivery_too_late_to_send_is_told_and_one_taken_back_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gone = dropped("expired", "too_late"), dropped("superseded", "moved")
    assert told(caplog, Turn(dropped=gone)) == [("INFO", f"delivery {PLANNED.id} is expired: too_late")]
    assert vars(caplog.records[0])["webhook"] == "whk_1"


def test_what_expired_unclaimed_is_counted_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    assert told(caplog, Turn(outlived=2000)) == [("INFO", "2000 deliveries expired unsent")]


def test_a_quiet_turn_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert told(caplog, Turn()) == []


@pytest.mark.parametrize(
    ("expired", "lines"), [(0, []), (3, ["3 deliveries were planned too late to be sent"])]
)
def test_what_was_planned_as_expired_is_counted_in_one_line(
    caplog: pytest.LogCaptureFixture, expired: int, lines: list[str]
) -> None:
    with caplog.at_level(logging.INFO, logger="service"):
        worker.late(expired)
    assert caplog.messages == lines
