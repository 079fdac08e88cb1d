"""The stderr of a real process, read by a machine: JSON lines only, and the facts an operator looks for."""

import json
import time
from importlib.metadata import version

from service.cli.receiver import Receiver
from tests.e2e.ports import free_port
from tests.e2e.served import ADMIN, start

__all__ = ["start"]


def test_the_log_tells_start_seeds_a_lost_delivery_a_webhook_switched_off_and_the_stop(start, tmp_path):
    service = start(tmp_path, free_port())
    service.wait()
    with Receiver(lambda _: 410, secret=lambda: "whsec_" + "A" * 32) as receiver:
        url = f"{receiver.url}/a-secret-path"
        hook = service.send("POST", "/v1/webhooks", {"url": url, "name": "team", "changes": ["created"]})
        body = {"kind": "showcase", "name": {"ko": "데모데이"}, "start": "2027-01-01"}
        service.send("POST", "/v1/events", body)
        until(lambda: disabled(service, hook["id"]))
    assert service.stop() == 0
    text = service.log.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    started, seeds, lost, off, stopping = (
        one(lines, words)
        for words in ("Dday answers at", "seeds loaded", "delivery ", "was switched off", "Dday is stopping")
    )
    assert (started["url"], started["engine"], started["version"]) == (service.url, "sqlite", version("dday"))
    assert seeds["seeds"] > 100
    told = [lost[name] for name in ("level", "webhook", "outcome", "reason", "answer")]
    assert told == ["info", hook["id"], "dead", "gone", "4xx"]
    assert (off["level"], off["webhook"], off["reason"]) == ("warning", hook["id"], "gone")
    assert stopping["signal"] == "SIGTERM"
    assert [secret for secret in (ADMIN, hook["secret"], "a-secret-path") if secret in text] == []


def one(lines, words):
    """The only line whose message holds these words."""
    [line] = [line for line in lines if words in line["message"]]
    return line


def disabled(service, webhook):
    return service.send("GET", f"/v1/webhooks/{webhook}")["state"] == "disabled"


def until(holds, seconds=30):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)
