"""Disks that fail under a running service: a full one is waited out, one that loses data is the end."""

import os
import shutil
import signal
import subprocess
import time
import urllib.error
from contextlib import contextmanager

import pytest

from tests.e2e.ports import free_port
from tests.e2e.served import Served

pytestmark = [
    pytest.mark.campaign,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
]
CALENDAR = "/feeds/ko/calendar.ics"
EVENT = {"kind": "conference", "name": {"ko": "발표"}, "start": "2026-03-02"}


@pytest.fixture
def service(tmp_path):
    started = Served(tmp_path, free_port(), DDAY_SEEDS="none")
    started.wait()
    yield started
    started.process.kill()
    started.process.wait()


@contextmanager
def failing(service, calls, error):
    """From here on these system calls of the service fail with this error, as those of a disk would."""
    told = service.folder / f"strace-{error}"
    command = ["strace", "-f", "-q", "-o", str(told), "-e", f"trace={calls}"]
    command += ["-e", f"inject={calls}:error={error}", "-p", str(service.process.pid)]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    threads = set(os.listdir(f"/proc/{service.process.pid}/task"))
    deadline = time.monotonic() + 10
    while not all(tracer_of(service.process.pid, task) == tracer.pid for task in threads):
        if tracer.poll() is not None:
            pytest.skip(f"this machine does not let us trace: {tracer.stderr.read()}")
        assert time.monotonic() < deadline
        time.sleep(0.01)
    try:
        yield told
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(10)
        tracer.stderr.close()


def tracer_of(process, thread):
    with open(f"/proc/{process}/task/{thread}/status") as status:
        [line] = [line for line in status if line.startswith("TracerPid:")]
    return int(line.split()[1])


def put(service, key):
    """The status of the answer, and None where there is no answer."""
    try:
        service.send("PUT", f"/v1/events/{key}", EVENT)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return None
    return 200


def events(service):
    return {event["id"] for event in service.json("/v1/events?from=2026-01-01&limit=200")["items"]}


def test_a_commit_that_the_disk_did_not_keep_ends_the_service(service, tmp_path):
    assert put(service, "kept") == 200
    with failing(service, "fdatasync,fsync", "EIO") as told:
        assert put(service, "lost") is None
        assert service.process.wait(10) == os.EX_IOERR
    assert "EIO" in told.read_text()
    assert "The disk did not write what was committed" in service.log.read_text()
    again = Served(tmp_path, free_port(), DDAY_SEEDS="none")
    again.wait()
    assert "kept" in events(again)
    assert put(again, "later") == 200
    assert again.stop() == 0


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_a_disk_that_takes_no_writes_refuses_writes_and_nothing_else(service, error):
    assert put(service, "before") == 200
    service.get(CALENDAR)  # the first time ever that a feed is asked for, its date is written down
    with failing(service, "pwrite64", error):
        refused = [put(service, f"during-{n}") for n in range(3)]
        assert refused == [507 if error == "ENOSPC" else 503] * 3
        assert events(service) == {"before"}
        assert b"BEGIN:VEVENT" in service.get(CALENDAR)
        assert service.json("/healthz") == {"status": "ok"}
    assert put(service, "after") == 200
    assert events(service) == {"before", "after"}
    assert service.stop() == 0
