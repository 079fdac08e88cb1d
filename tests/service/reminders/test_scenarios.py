"""What calendars have got wrong before us, as it was reported, played through planner and sender.

Cal.com (calcom/cal.com, cal.diy), Indico and Home Assistant: notes/webhooks.md 2.9 and 2.12.
"""

from collections.abc import Callable
from datetime import datetime, time, timedelta

import pytest

from service.store.engine import Store
from tests.receiver import Receiver
from tests.service.reminders.driver import Driver
from tests.service.reminders.machine import Machine
from tests.service.reminders.making import utc
from tests.service.reminders.oracle import Gathering, Hook

START = utc("2025-09-01 00:00")
MEETING = Gathering(window=False, start="2025-09-05T14:00", end="2025-09-05T16:00", zone="Asia/Seoul")
ALL_DAY = Gathering(window=False, start="2025-09-05", end="2025-09-06", zone="Asia/Seoul")
# 14:00 in Seoul
BEGINS = utc("2025-09-05 05:00")


def hook(*rules: tuple[str, str], **fields: object) -> Hook:
    wanted = {"zone": "Asia/Seoul", "remind_at": time(9), "late": "skip", "resume": "skip", "tag": None}
    return Hook(rules=rules, **(wanted | fields))  # type: ignore[arg-type]


Play = Callable[..., "Driver | Machine"]


@pytest.fixture(params=["rules", pytest.param("store", marks=pytest.mark.campaign)])
def play(request: pytest.FixtureRequest) -> Play:
    """Begins with one webhook; with the rules alone, or with the real store, planner, sender and receiver."""

    def begin(*rules: tuple[str, str], **fields: object) -> Driver | Machine:
        minute, driver = timedelta(minutes=1), None
        if request.param == "rules":
            driver = Driver(start=START, look_ahead=minute)
        else:
            store, receiver = (request.getfixturevalue(name) for name in ("sqlite_store", "receiver"))
            driver = Machine(store, receiver, start=START, look_ahead=minute)
        driver.set_hook("whk_1", hook(*rules, **fields), at=START)
        return driver

    return begin


def wake_through(
    driver: Driver | Machine, since: datetime, until: datetime, *, step: timedelta = timedelta(minutes=10)
) -> None:
    now = since
    while now <= until:
        driver.wake(now)
        now += step


def sent(driver: Driver | Machine) -> list[str]:
    """What went out: when, which event, and how long before what."""
    rows = {key: row.planned for key, row in driver.rows.items()}
    found = [(one.at, rows[one.id].event, rows[one.id].anchor, rows[one.id].before) for one in driver.sent]
    return [f"{at:%m-%d %H:%M} {event} {anchor} {before}" for at, event, anchor, before in sorted(found)]


DAY_AND_HOUR = (("start", "P1D"), ("start", "PT1H"))
FROM, TO = utc("2025-09-04 04:00"), utc("2025-09-06 00:00")


def test_calcom_14864_cancelling_one_booking_keeps_the_reminders_of_all_others(play: Play) -> None:
    driver = play(*DAY_AND_HOUR)
    for name in ("one", "two", "three"):
        driver.write(name, MEETING, at=START)
    driver.write("two", Gathering(**{**MEETING.__dict__, "status": "cancelled"}), at=utc("2025-09-02 00:00"))
    wake_through(driver, FROM, TO)
    assert sent(driver) == [
        "09-04 05:00 one start P1D",
        "09-04 05:00 three start P1D",
        "09-05 04:00 one start PT1H",
        "09-05 04:00 three start PT1H",
    ]


def test_calcom_9347_a_reminder_four_months_away_survives_every_restart(play: Play) -> None:
    driver = play(("start", "P1D"))
    driver.write(
        "far", Gathering(window=False, start="2026-01-02T10:00", end=None, zone="Asia/Seoul"), at=START
    )
    for day in range(0, 130, 10):
        # Nothing lives in memory: each wake-up plans from what is stored.
        driver.wake(START + timedelta(days=day))
    driver.wake(utc("2026-01-01 01:00"))
    assert sent(driver) == ["01-01 01:00 far start P1D"]


def test_calcom_12370_the_end_is_reminded_like_the_start(play: Play) -> None:
    driver = play(("end", "PT0S"))
    driver.write("meeting", MEETING, at=START)
    wake_through(driver, utc("2025-09-05 06:00"), utc("2025-09-05 08:00"))
    assert sent(driver) == ["09-05 07:00 meeting end PT0S"]


def test_calcom_6973_nothing_is_sent_after_a_cancellation(play: Play) -> None:
    driver = play(*DAY_AND_HOUR)
    driver.write("meeting", MEETING, at=START)
    wake_through(driver, FROM, utc("2025-09-05 03:55"))
    driver.write(
        "meeting", Gathering(**{**MEETING.__dict__, "status": "cancelled"}), at=utc("2025-09-05 03:59")
    )
    wake_through(driver, utc("2025-09-05 04:00"), TO)
    assert sent(driver) == ["09-04 05:00 meeting start P1D"]


def test_calcom_7225_a_deleted_event_reminds_nobody(play: Play) -> None:
    driver = play(*DAY_AND_HOUR)
    driver.write("meeting", MEETING, at=START)
    driver.wake(utc("2025-09-04 04:59"))
    driver.write("meeting", None, at=utc("2025-09-04 04:59"))
    wake_through(driver, utc("2025-09-04 05:00"), TO)
    assert sent(driver) == []


def test_calcom_12407_after_a_move_only_the_new_time_is_reminded(play: Play) -> None:
    driver = play(*DAY_AND_HOUR)
    driver.write("meeting", MEETING, at=START)
    driver.wake(utc("2025-09-03 00:00"))
    moved = Gathering(window=False, start="2025-09-08T10:00", end=None, zone="Asia/Seoul")
    driver.write("meeting", moved, at=utc("2025-09-03 00:00"))
    wake_through(driver, FROM, utc("2025-09-09 00:00"))
    assert sent(driver) == ["09-07 01:00 meeting start P1D", "09-08 00:00 meeting start PT1H"]


def test_calcom_13238_a_move_in_the_last_second_still_stops_the_old_reminder(play: Play) -> None:
    driver = play(("start", "PT1H"))
    driver.write("meeting", MEETING, at=START)
    due = BEGINS - timedelta(hours=1)
    driver.wake(due - timedelta(seconds=30))  # the delivery is a row by now
    moved = Gathering(window=False, start="2025-09-06T14:00", end=None, zone="Asia/Seoul")
    driver.write("meeting", moved, at=due - timedelta(seconds=1))
    driver.wake(due)
    assert sent(driver) == []


def test_calcom_10749_booking_late_does_not_fire_all_reminders_at_once(play: Play) -> None:
    driver = play(("start", "P7D"), ("start", "P3D"), *DAY_AND_HOUR)
    booked = BEGINS - timedelta(hours=3)
    driver.write("meeting", MEETING, at=booked)
    wake_through(driver, booked, TO)
    assert sent(driver) == ["09-05 04:00 meeting start PT1H"]


def test_calid_1442_a_72_hour_reminder_is_not_sent_for_what_was_booked_24_hours_before(play: Play) -> None:
    driver = play(("start", "PT72H"))
    driver.write("meeting", MEETING, at=BEGINS - timedelta(hours=24))
    wake_through(driver, BEGINS - timedelta(hours=24), TO)
    assert sent(driver) == []


def test_calid_1442_unless_the_webhook_wants_what_is_already_past_sent_now(play: Play) -> None:
    driver = play(("start", "PT72H"), ("start", "PT48H"), late="send_now")
    booked = BEGINS - timedelta(hours=24)
    driver.write("meeting", MEETING, at=booked)
    wake_through(driver, booked, TO)
    assert sent(driver) == ["09-04 05:00 meeting start PT48H"]


def test_calid_790_an_edit_that_moves_nothing_keeps_the_reminders(play: Play) -> None:
    driver = play(*DAY_AND_HOUR)
    driver.write("meeting", MEETING, at=START)
    for minute in range(5):
        edited = Gathering(**{**MEETING.__dict__, "tags": frozenset({f"t{minute}"})})
        driver.write("meeting", edited, at=utc("2025-09-04 04:55") + timedelta(minutes=minute))
    wake_through(driver, utc("2025-09-04 05:00"), TO)
    assert sent(driver) == ["09-04 05:00 meeting start P1D", "09-05 04:00 meeting start PT1H"]


def test_calcom_12407_moved_there_and_back_a_reminder_is_sent_once(play: Play) -> None:
    driver = play(*DAY_AND_HOUR)
    driver.write("meeting", MEETING, at=START)
    wake_through(driver, FROM, utc("2025-09-04 06:00"))
    away = Gathering(window=False, start="2025-09-08T10:00", end=None, zone="Asia/Seoul")
    driver.write("meeting", away, at=utc("2025-09-04 07:00"))
    driver.wake(utc("2025-09-04 08:00"))
    driver.write("meeting", MEETING, at=utc("2025-09-04 09:00"))
    wake_through(driver, utc("2025-09-04 09:00"), TO)
    assert sent(driver) == ["09-04 05:00 meeting start P1D", "09-05 04:00 meeting start PT1H"]


def test_calcom_scheduled_triggers_are_not_lost_in_a_day_of_downtime(play: Play) -> None:
    driver = play(("start", "P3D"), ("start", "P1D"))
    driver.write("meeting", MEETING, at=START)
    driver.wake(START)
    driver.wake(utc("2025-09-04 12:00"))  # both came due while nobody was there
    assert sent(driver) == ["09-04 12:00 meeting start P1D"]
    assert sorted((row.planned.before, row.state) for row in driver.rows.values()) == [
        ("P1D", "sent"),
        ("P3D", "expired"),
    ]


def test_indico_4893_a_reminder_never_comes_after_the_meeting(play: Play) -> None:
    driver = play(*DAY_AND_HOUR, ("start", "PT0S"))
    driver.write("meeting", MEETING, at=START)
    driver.wake(START)
    driver.wake(BEGINS + timedelta(hours=1))
    assert sent(driver) == []


def test_a_reminder_on_the_minute_has_an_hour_of_grace(play: Play) -> None:
    driver = play(("start", "PT1H"), ("start", "PT0S"))
    driver.write("meeting", MEETING, at=START)
    driver.wake(START)
    driver.wake(BEGINS + timedelta(minutes=59))
    assert sent(driver) == ["09-05 05:59 meeting start PT0S"]


def test_home_assistant_84255_all_day_events_are_reminded_before_they_begin(play: Play) -> None:
    driver = play(("start", "P1D"), ("start", "PT12H"), ("start", "PT0S"))
    driver.write("festival", ALL_DAY, at=START)
    wake_through(driver, utc("2025-09-03 00:00"), TO)
    assert sent(driver) == [
        "09-04 00:00 festival start P1D",
        "09-04 03:00 festival start PT12H",
        "09-05 00:00 festival start PT0S",
    ]


def test_home_assistant_104971_the_end_of_an_all_day_event_is_its_last_day(play: Play) -> None:
    driver = play(("end", "P1D"), ("end", "PT0S"))
    driver.write("festival", ALL_DAY, at=START)
    wake_through(driver, utc("2025-09-03 00:00"), utc("2025-09-07 00:00"))
    assert sent(driver) == ["09-05 00:00 festival end P1D", "09-06 00:00 festival end PT0S"]


def test_home_assistant_74964_two_events_at_one_instant_are_two_reminders(play: Play) -> None:
    driver = play(("start", "PT1H"))
    driver.write("one", MEETING, at=START)
    driver.write("two", MEETING, at=START)
    wake_through(driver, FROM, TO)
    assert sent(driver) == ["09-05 04:00 one start PT1H", "09-05 04:00 two start PT1H"]


def test_node_red_1302_a_changed_time_is_a_new_reminder(play: Play) -> None:
    driver = play(("start", "PT1H"))
    driver.write("meeting", MEETING, at=START)
    wake_through(driver, FROM, utc("2025-09-05 04:00"))
    later = Gathering(window=False, start="2025-09-05T18:00", end=None, zone="Asia/Seoul")
    driver.write("meeting", later, at=utc("2025-09-05 04:10"))
    wake_through(driver, utc("2025-09-05 04:10"), TO)
    assert sent(driver) == ["09-05 04:00 meeting start PT1H", "09-05 08:00 meeting start PT1H"]


def test_an_import_of_thousands_sends_nothing_that_was_already_past(play: Play) -> None:
    driver = play(("start", "P7D"), ("start", "PT0S"))
    for number in range(500):
        driver.write(f"event-{number}", ALL_DAY, at=utc("2025-09-04 00:00"))
    driver.wake(utc("2025-09-04 00:00"))
    assert sent(driver) == []


def test_an_import_of_thousands_does_not_flood_a_webhook_that_wants_the_past(play: Play) -> None:
    driver = play(("start", "P7D"), late="send_now")
    for number in range(500):
        driver.write(f"event-{number}", ALL_DAY, at=utc("2025-09-04 00:00"))
    driver.wake(utc("2025-09-04 00:00"))
    assert len(sent(driver)) == 20
    assert {row.planned.reason for row in driver.rows.values() if row.state == "expired"} == {"flood"}


def test_a_postponed_event_is_silent_until_it_has_a_date_again(play: Play) -> None:
    driver = play(*DAY_AND_HOUR)
    driver.write("meeting", MEETING, at=START)
    driver.wake(START)
    driver.write(
        "meeting", Gathering(**{**MEETING.__dict__, "status": "postponed"}), at=utc("2025-09-02 00:00")
    )
    wake_through(driver, FROM, TO)
    assert sent(driver) == []
    again = Gathering(window=False, start="2025-09-10T14:00", end=None, zone="Asia/Seoul")
    driver.write("meeting", again, at=utc("2025-09-07 00:00"))
    wake_through(driver, utc("2025-09-07 00:00"), utc("2025-09-11 00:00"))
    assert sent(driver) == ["09-09 05:00 meeting start P1D", "09-10 04:00 meeting start PT1H"]


@pytest.mark.parametrize(
    ("resume", "expected"), [("catch_up", ["09-05 03:00 meeting start P1D"]), ("skip", [])]
)
@pytest.mark.parametrize("state", ["paused", "disabled"])
def test_a_webhook_that_rested_catches_up_with_what_is_still_of_use_if_it_says_so(
    play: Play, state: str, resume: str, expected: list[str]
) -> None:
    rules = (("start", "P3D"), ("start", "P1D"))
    driver = play(*rules, resume=resume)
    driver.write("meeting", MEETING, at=START)
    driver.set_hook("whk_1", hook(*rules, resume=resume, state=state), at=utc("2025-09-01 12:00"))
    wake_through(driver, utc("2025-09-01 12:00"), utc("2025-09-05 02:00"), step=timedelta(hours=1))
    back = utc("2025-09-05 03:00")
    driver.set_hook("whk_1", hook(*rules, resume=resume), at=back)
    driver.wake(back)
    assert sent(driver) == expected


def test_reminders_that_are_dropped_at_the_send_hold_up_none_behind_them(
    sqlite_store: Store, receiver: Receiver
) -> None:
    rules = tuple(("start", f"P{days}D") for days in range(9, 0, -1))
    driver = Machine(sqlite_store, receiver, start=START, look_ahead=timedelta(minutes=1))
    driver.set_hook("whk_1", hook(*rules, resume="catch_up"), at=START)
    driver.write("meeting", MEETING, at=START)
    driver.set_hook("whk_1", hook(*rules, resume="catch_up", state="paused"), at=utc("2025-09-01 12:00"))
    wake_through(driver, utc("2025-09-01 12:00"), utc("2025-09-05 02:00"), step=timedelta(hours=1))
    back = utc("2025-09-05 03:00")
    driver.set_hook("whk_1", hook(*rules, resume="catch_up"), at=back)
    driver.wake(back)
    assert sent(driver) == ["09-05 03:00 meeting start P1D"]


def test_two_rules_for_one_instant_are_one_message(play: Play) -> None:
    driver = play(("start", "P1D"), ("start", "PT24H"))
    driver.write("meeting", MEETING, at=START)
    wake_through(driver, FROM, TO)
    assert sent(driver) == ["09-04 05:00 meeting start P1D"]
