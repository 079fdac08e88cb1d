"""Where no webhook may lead, by every way there is to send: when due, on test, redelivered.

Real listeners stand at the forbidden addresses and count. One address of this machine is on the operator's
list, as a stand-in for the public internet; tests/box.py does the same with the whole internet.
"""

import socket
import subprocess
import sys
from collections import Counter
from ipaddress import ip_address, ip_network
from itertools import count
from pathlib import Path

import pytest

from service.egress.policy import Policy
from tests.receiver import Receiver, Reply
from tests.spellings import hosts
from tests.unshared import needs_namespaces
from tests.ways_out import ways_out

ALLOWED = "127.0.0.2"
POLICY = Policy(allow=(ip_network(ALLOWED),))
FORBIDDEN = ("127.0.0.1", "::1")
CLOSED, UNKNOWN = 1, 8443
NAMES = {
    "private.example": ["127.0.0.1"],
    "six.example": ["::1"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "mapped-allowed.example": [f"::ffff:{ALLOWED}"],
    "nat64.example": ["64:ff9b::7f00:1"],
    "sixto4.example": ["2002:7f00:1::1"],
    "zoned.example": ["fe80::1%lo"],
    "zoned-loopback.example": ["::1%lo"],
    "metadata.example": ["169.254.169.254"],
    "mixed-a.example": [ALLOWED, "127.0.0.1"],
    "mixed-aaaa.example": [ALLOWED, "::1"],
    "mixed-first.example": ["::1", ALLOWED],
    "mixed-mapped.example": [ALLOWED, "::ffff:127.0.0.1"],
    "mixed-nat64.example": [ALLOWED, "64:ff9b::7f00:1"],
    "empty.example": [],
}
REFUSED = ("not_allowed", None, "")
BOX = Path(__file__).parents[2] / "box_ways.py"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="has one address on its loopback")


def look_up(host: str, _: int) -> list[str]:
    if host not in NAMES:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")
    return NAMES[host]


@pytest.fixture
def listeners():
    """At both forbidden addresses, on one port."""
    with Receiver() as four, Receiver(host="::1", port=four.port) as six:
        yield four, six


def literals(port: int) -> list[str]:
    every = [host for address in FORBIDDEN for host in hosts(ip_address(address))]
    return [f"{scheme}://{host}:{port}/" for host in every for scheme in ("https", "http")]


def test_no_way_of_sending_reaches_a_forbidden_destination_or_tells_its_ports_apart(listeners, tmp_path):
    port = listeners[0].port
    urls = literals(port)
    urls += [f"https://{host}:{each}/" for host in ("127.0.0.1", "[::1]") for each in (CLOSED, UNKNOWN)]
    urls += [f"http://{name}:{port}/" for name in (*NAMES, "none.example")]
    urls += [f"https://{name}{each}/" for name in ("six.example", "none.example") for each in ("", ":1")]
    with ways_out(tmp_path, policy=POLICY, look_up=look_up) as ways:
        assert ways.all_three(urls) == {REFUSED}
    assert [each.accepts for each in listeners] == [0, 0]


def test_a_webhook_at_a_forbidden_address_is_refused_alike_whatever_listens_there(listeners, tmp_path):
    urls = [url for each in (listeners[0].port, CLOSED, UNKNOWN) for url in literals(each)]
    with ways_out(tmp_path, policy=POLICY, look_up=look_up) as ways:
        assert {ways.create(url) for url in urls} == {(422, "/problems/destination_not_allowed")}
    assert [each.accepts for each in listeners] == [0, 0]


@pytest.mark.parametrize("away", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "::1%lo"])
def test_a_rebinding_name_is_judged_at_every_attempt_by_every_way(listeners, tmp_path, away):
    """Allowed, forbidden, allowed, ...: when due and once more, then on test twice."""
    turn, asked = count(), Counter[str]()

    def rebinding(host: str, _: int) -> list[str]:
        asked[host] += 1
        return [away if next(turn) % 2 else ALLOWED]

    port = listeners[0].port
    with (
        Receiver(host=ALLOWED, port=port) as allowed,
        ways_out(tmp_path, policy=POLICY, look_up=rebinding) as ways,
    ):
        allowed.reply_with(Reply(headers={"connection": "close"}))
        [delivery] = ways.plan([f"http://rebind.example:{port}/"])
        ways.send_due()
        ways.redeliver(delivery)
        ways.send_due()
        told = [*ways.attempts(delivery), ways.test(delivery), ways.test(delivery)]
    assert told == [("2xx", 200, ""), REFUSED] * 2
    assert (allowed.accepts, asked["rebind.example"]) == (2, 4)
    assert [each.accepts for each in listeners] == [0, 0]


@pytest.mark.campaign(minutes=0.3)
@needs_namespaces
def test_in_a_world_where_every_address_answers_no_way_of_sending_reaches_a_forbidden_one(tmp_path):
    """With our public defaults, and names that rebind; see tests/box_ways.py."""
    command = ["unshare", "-n", "-m", sys.executable, str(BOX), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "told: ('not_allowed', None, '')",
        "rebinding: ('tls', None, '') ('not_allowed', None, '') ('tls', None, '') ('not_allowed', None, '')",
        "accepts: forbidden 0, public 20",
    ]
