"""kill -9 at any instant: nothing acknowledged is lost, nothing is sent that is not on record (R1, R2)."""

import os
import signal
import time
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from service.reminders.webhook import Rule
from tests.killing import Campaign, warm
from tests.victims import LIMITS, orderly

LEASE = LIMITS.lease.total_seconds()


def one_after_another(campaign: Campaign, *, kills: int) -> None:
    for _ in range(kills):
        process = campaign.victim()
        time.sleep(campaign.chance.uniform(0.2, 0.9))
        campaign.kill(process)


def two_at_work(campaign: Campaign, *, kills: int) -> None:
    """Now and then one sleeps for longer than its lease and wakes to find its work taken, or all are cut off.

    A tenth of the faults each; of those that slept every second one lives on.
    """
    pair = [campaign.victim(), campaign.victim()]
    for n in range(kills):
        time.sleep(campaign.chance.uniform(0.1, 0.6))
        which = campaign.chance.randrange(2)
        if n % 10 == 5:
            campaign.stop(pair[which], LEASE * 1.3)
            time.sleep(campaign.chance.uniform(0.0, 0.6))
        if n % 10 == 2:
            campaign.cut()
            time.sleep(campaign.chance.uniform(0.0, 0.6))
        if n % 20 != 15:
            campaign.kill(pair[which])
            pair[which] = campaign.victim()
    for process in pair:
        campaign.kill(process)


def told_to_stop(campaign: Campaign, *, stops: int) -> None:
    """Each finishes what it has begun."""
    for _ in range(stops):
        process = campaign.victim(target=orderly)
        time.sleep(campaign.chance.uniform(0.4, 1.0))
        os.kill(process.pid, signal.SIGTERM)
        process.join(25)
        assert process.exitcode == 0


def short(url: str, folder) -> Campaign:
    """All events begin at one minute; what is said before that falls due within the next seconds."""
    warm()
    now = datetime.now(UTC)
    start = (now + timedelta(minutes=4)).replace(second=0, microsecond=0)
    seconds = int((start - now).total_seconds())
    rules = tuple(Rule(anchor="start", before=f"PT{seconds - ahead}S") for ahead in (2, 3, 4))
    return Campaign(url, folder, rules=rules, start=start)


def test_three_kills_on_sqlite_lose_nothing(sqlite_url, tmp_path):
    short(sqlite_url, tmp_path).run(partial(one_after_another, kills=3))


@pytest.mark.campaign(minutes=2)
def test_ten_orderly_stops_lose_and_repeat_nothing(store_url, tmp_path):
    Campaign(store_url, tmp_path, most=0).run(partial(told_to_stop, stops=10))


@pytest.mark.campaign(minutes=4)
def test_sixty_kills_on_sqlite_lose_nothing(sqlite_url, tmp_path):
    kills = int(os.environ.get("KILLS", "60"))
    Campaign(sqlite_url, tmp_path).run(partial(one_after_another, kills=kills))


@pytest.mark.campaign(minutes=4)
def test_sixty_kills_of_two_workers_on_postgresql_lose_nothing(pg_url, tmp_path):
    kills = int(os.environ.get("KILLS", "60"))
    Campaign(pg_url, tmp_path).run(partial(two_at_work, kills=kills))
