"""A service and the three ways by which it sends to a webhook: when something is due, on test, once more.

Webhooks are written into the store as they are, also such as the API refuses: what may be sent to is decided
anew at each sending, and the operator's list may have been another when the webhook was made.
"""

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from litestar import Litestar
from litestar.testing import TestClient
from msgspec.structs import replace
from sqlalchemy import Connection

from service.app import build, open_service
from service.clock import SimulatedClock
from service.delivery.worker import Limits, Worker
from service.egress.client import Egress
from service.egress.policy import Policy
from service.egress.resolver import LookUp
from service.reminders import signing
from service.settings import Settings
from service.store import deliveries, webhooks
from tests.reminding import MASTER, NOON, TLS, a_webhook, message

ADMIN = "dday_admin000_" + "A" * 43
OPERATOR = {"authorization": f"Bearer {ADMIN}"}
# What the owner of a webhook is told of an attempt, but for how long it took.
TOLD = ("outcome", "status", "excerpt")
Told = tuple[Any, ...]


class WaysOut:
    def __init__(self, client: TestClient[Litestar], egress: Callable[[], Egress]) -> None:
        self.client, self.egress = client, egress
        self.service = client.app.state.service

    def create(self, url: str) -> tuple[int, str | None]:
        """As its owner would; the status, and the type of the problem."""
        answer = self.client.post("/v1/webhooks", json={"url": url, "name": "t"}, headers=OPERATOR)
        return answer.status_code, answer.json().get("type")

    def plan(self, urls: Sequence[str]) -> list[str]:
        """A webhook each, and one message to it that is due; the ids of the messages."""
        store = self.service.store
        first = store.read(lambda c: c.exec_driver_sql("SELECT count(*) FROM webhook").scalar_one())
        keys = [f"whk_{first + n:06}" for n in range(len(urls))]
        due = [message(_delivery(key), key, NOON) for key in keys]

        def work(c: Connection) -> None:
            for key, url in zip(keys, urls, strict=True):
                webhooks.create(c, a_webhook(url, key=key), sealed=[_secret(key)], now=NOON)
            deliveries.insert(c, due, now=NOON, body=b"{}")

        store.write(work)
        return [each.id for each in due]

    def send_due(self) -> None:
        """By the delivery loop, without a second try."""

        async def once() -> None:
            service, egress = self.service, self.egress()
            limits = Limits(schedule=())
            try:
                await Worker(
                    service.store, egress, clock=service.clock, masters=service.masters, limits=limits
                ).run_once()
            finally:
                await egress.aclose()

        asyncio.run(once())

    def redeliver(self, delivery: str) -> None:
        answer = self.client.post(f"/v1/deliveries/{delivery}/redeliver", json={}, headers=OPERATOR)
        assert answer.status_code == 202, answer.text

    def test(self, delivery: str) -> Told:
        """A test message to the webhook of this delivery; what its owner is told."""
        path = f"/v1/webhooks/{delivery.replace('dlv', 'whk')}/test"
        answer = self.client.post(path, json={}, headers=OPERATOR)
        assert answer.status_code == 200, answer.text
        return _told(answer.json())

    def attempts(self, delivery: str) -> list[Told]:
        shown = self.client.get(f"/v1/deliveries/{delivery}", headers=OPERATOR).json()
        return [_told(attempt) for attempt in shown["attempts"]]

    def all_three(self, urls: Sequence[str]) -> set[Told]:
        """Send to each when due, then once more, then a test; everything that anybody was told."""
        planned = self.plan(urls)
        self.send_due()
        for delivery in planned:
            self.redeliver(delivery)
        self.send_due()
        seen = [self.attempts(delivery) for delivery in planned]
        assert {len(attempts) for attempts in seen} == {2}
        return {each for attempts in seen for each in attempts} | {self.test(each) for each in planned}


def _delivery(webhook: str) -> str:
    return webhook.replace("whk", "dlv")


def _secret(webhook: str) -> signing.Sealed:
    key = signing.generate("v1", randomness=os.urandom)
    return signing.seal(key, webhook_id=webhook, master=MASTER, randomness=os.urandom)


def _told(attempt: dict[str, Any]) -> Told:
    return tuple(attempt[name] for name in TOLD)


@contextmanager
def ways_out(folder: Path, *, policy: Policy, look_up: LookUp) -> Iterator[WaysOut]:
    settings = Settings(
        database_url=f"sqlite:///{folder}/ways.db",
        secret_key=MASTER.hex(),
        admin_key=ADMIN,
        rate_limit=0,
        deliver=False,
        seeds=None,
    )

    def egress() -> Egress:
        return Egress(policy, deadline=5, tls=TLS, look_up=look_up)

    service = replace(open_service(settings, clock=SimulatedClock(NOON)), egress=egress())
    with TestClient(build(service)) as client:
        yield WaysOut(client, egress)
