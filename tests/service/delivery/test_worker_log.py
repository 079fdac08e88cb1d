"""What an operator reads of deliveries: each loss once, by ids, and nothing of what was only taken back."""

import logging
from typing import Any

import pytest
from msgspec.structs import replace

from service.delivery.worker import Turn, log_turn
from service.reminders.plan import plan
from service.store.claims import Claimed, Ended
from tests.service.reminders.making import LONG_AGO, LONG_HENCE, candidate, event, webhook

HOOK = webhook("start P7D")
[PLANNED] = plan([candidate(event())], [HOOK], after=LONG_AGO, until=LONG_HENCE)


def unsent(state: str, reason: str) -> tuple[Claimed, Ended]:
    claimed = Claimed(planned=PLANNED, fence=1, tries=0, body=None, created_at=0, replay=0)
    return claimed, Ended(delivery=PLANNED.id, fence=1, state=state, reason=reason)


def told(caplog: pytest.LogCaptureFixture, done: Turn) -> list[tuple[Any, ...]]:
    with caplog.at_level(logging.INFO, logger="service"):
        log_turn(done)
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def test_a_webhook_that_failed_for_days_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    off = replace(HOOK, state="disabled", disabled_reason="failing")
    assert told(caplog, Turn(disabled=(off,))) == [("WARNING", "webhook whk_1 was switched off: failing")]
    fields = vars(caplog.records[0])
    assert (fields["webhook"], fields["reason"]) == ("whk_1", "failing")


def test_a_delivery_too_late_to_send_is_told_and_one_taken_back_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gone = unsent("expired", "too_late"), unsent("superseded", "moved")
    assert told(caplog, Turn(unsent=gone)) == [("INFO", f"delivery {PLANNED.id} is expired: too_late")]
    assert vars(caplog.records[0])["webhook"] == "whk_1"


def test_what_expired_unclaimed_is_counted_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    assert told(caplog, Turn(outlived=2000)) == [("INFO", "2000 deliveries expired unsent")]


def test_a_quiet_turn_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert told(caplog, Turn()) == []
