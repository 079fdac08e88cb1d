"""A look-up that does not end keeps its own thread, and nobody else's time."""

import asyncio
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from service.egress.resolver import LookUps, Unknown
from tests.unshared import needs_namespaces

ORDINARY_SECONDS = 0.25
DEAD_DNS = Path(__file__).parents[2] / "dead_dns.py"


class Names:
    """Names that begin with `dead` have no answer before the end of the test; all others have one at once."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._end = threading.Event()

    def __call__(self, host: str, _: int) -> list[str]:
        self.asked.append(host)
        if host.startswith("dead") and self._end.wait(30):
            raise socket.gaierror(socket.EAI_AGAIN, "no server answered")
        return ["127.0.0.1"]

    def end(self) -> None:
        self._end.set()


@pytest.fixture
def names():
    made = Names()
    yield made
    made.end()


async def failed(look_ups: LookUps, host: str) -> bool:
    try:
        await look_ups.answers(host, 443)
    except Unknown:
        return True
    return False


async def took(look_ups: LookUps, host: str) -> float:
    began = time.monotonic()
    assert await look_ups.answers(host, 443) == ["127.0.0.1"]
    return time.monotonic() - began


def test_200_ever_new_dead_names_leave_healthy_look_ups_their_ordinary_time(names):
    """32 at a time, each given up while its look-up goes on; beside them a known name and a new one."""

    async def run() -> tuple[list[bool], list[float], int]:
        look_ups, healthy, given_up = LookUps(names, seconds=0.1), [], []
        for wave in range(7):
            dead = [asyncio.create_task(failed(look_ups, f"dead-{wave}-{n}.example")) for n in range(32)]
            await asyncio.sleep(0.01)
            healthy.append(await took(look_ups, f"healthy-{wave}.example"))
            healthy.append(await took(look_ups, "healthy.example"))
            given_up += await asyncio.gather(*dead)
        return given_up, healthy, look_ups.under_way

    given_up, healthy, under_way = asyncio.run(run())
    assert (given_up, under_way) == ([True] * 224, 224)
    assert max(healthy) < ORDINARY_SECONDS


def test_a_name_that_is_being_looked_up_is_not_looked_up_again(names):
    async def run() -> list[bool]:
        look_ups = LookUps(names, seconds=0.1)
        at_once = await asyncio.gather(*(failed(look_ups, "dead.example") for _ in range(20)))
        return [*at_once, await failed(look_ups, "dead.example")]

    assert asyncio.run(run()) == [True] * 21
    assert names.asked == ["dead.example"]


def test_beyond_the_most_a_look_up_fails_at_once_until_others_end(names):
    async def run() -> tuple[list[bool], float, list[str]]:
        look_ups = LookUps(names, seconds=0.1, most=3)
        at_most = [await failed(look_ups, f"dead-{n}.example") for n in range(3)]
        began = time.monotonic()
        at_most.append(await failed(look_ups, "healthy.example"))
        refused = time.monotonic() - began
        names.end()
        await asyncio.sleep(0.2)
        return at_most, refused, await look_ups.answers("healthy.example", 443)

    at_most, refused, after = asyncio.run(run())
    assert (at_most, after) == ([True] * 4, ["127.0.0.1"])
    assert refused < 0.05
    assert len(names.asked) == 4


@pytest.mark.parametrize("error", [socket.EAI_AGAIN, socket.EAI_MEMORY, socket.EAI_SYSTEM])
def test_what_says_nothing_about_the_name_is_unknown(error):
    def look_up(*_: object) -> list[str]:
        raise socket.gaierror(error, "not now")

    assert asyncio.run(failed(LookUps(look_up), "a.example"))


def test_a_name_that_does_not_exist_is_told_from_one_without_an_answer():
    def look_up(*_: object) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    with pytest.raises(socket.gaierror):
        asyncio.run(failed(LookUps(look_up), "a.example"))


def test_the_end_of_the_process_does_not_wait_for_a_look_up():
    code = (
        "import asyncio, contextlib, time; from service.egress.resolver import LookUps, Unknown\n"
        "with contextlib.suppress(Unknown):\n"
        "    asyncio.run(LookUps(lambda *_: time.sleep(60), seconds=0.05).answers('dead.example', 443))\n"
        "print('done')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20)
    assert (done.stdout, done.stderr) == ("done\n", "")


@pytest.mark.campaign(minutes=0.5)
@needs_namespaces
def test_beside_names_whose_servers_are_dead_the_systems_resolver_finds_the_healthy_ones():
    """With a real name server, which answers for some names only; see tests/dead_dns.py."""
    command = ["unshare", "-n", "-m", sys.executable, str(DEAD_DNS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    dead, healthy, slowest = done.stdout.split()
    assert (dead, healthy) == ("224", "2xx")
    assert int(slowest) < 1000 * ORDINARY_SECONDS
