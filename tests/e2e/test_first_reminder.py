"""From an event and a webhook to a signed request at a real receiver, on both engines."""

import json
from datetime import datetime

from standardwebhooks.webhooks import Webhook as Verifier

from tests.receiver import Received, Receiver
from tests.reminding import HOUR, NOON, World, a_webhook, add, an_event, put


def verified(secret: str, request: Received) -> dict[str, object]:
    """Read by the independent library, but for its clock: the simulated time is long past."""
    verifier = Verifier(secret)
    stamp = request.headers["webhook-timestamp"]
    signature = verifier.sign(
        request.id, datetime.fromtimestamp(int(stamp)).astimezone(), request.body.decode()
    )
    assert signature == request.headers["webhook-signature"]
    return json.loads(request.body)


def test_a_reminder_and_a_move_reach_the_receiver_signed(store):
    with Receiver() as receiver:
        world = World(store)
        secret = add(store, a_webhook(receiver.url, changes=("rescheduled",)))
        put(store, an_event("talk", NOON + 5 * HOUR), now=NOON + HOUR)
        assert world.at(NOON + HOUR) == 0
        put(store, an_event("talk", NOON + 3 * HOUR), now=NOON + HOUR)
        assert world.at(NOON + HOUR) == 1
        assert world.at(NOON + 2 * HOUR) == 1
        assert world.at(NOON + 4 * HOUR) == 0
        moved, reminder = (verified(secret, request) for request in receiver.requests)
    assert moved["type"] == "event.rescheduled"
    assert moved["data"]["previous"]["start"] == "2026-03-02T17:00"
    assert reminder["type"] == "event.reminder"
    assert reminder["data"]["event"]["id"] == "talk"
    assert reminder["data"]["reminder"] == {
        "anchor": "start",
        "before": "PT1H",
        "anchor_at": "2026-03-02T15:00:00Z",
        "due_at": "2026-03-02T14:00:00Z",
        "late_seconds": 0,
    }
