"""Foreign files are read in a child that cannot hang us, swell us, or reach anything."""

import resource
import subprocess
import sys
import time
from datetime import timedelta

import pytest

from service.importers import child, foreign
from service.importers.drafts import Choices
from tests.feeds.test_foreign_ical import BOMBS, EVENT, HARMLESS, calendar, event
from tests.service.importers import test_cases, test_recurrence

CPU = child.CPU_SECONDS + 0.5
ZONE = Choices(timezone="Asia/Seoul")
TOO_LARGE = {
    "one line of 10 MB": calendar(event("SUMMARY:" + "A" * 10_000_000)),
    "six MiB": BOMBS["six MiB"],
}
# What one component asks for; the calendar around it is read.
REFUSED = {
    "INTERVAL=0": event("RRULE:FREQ=DAILY;INTERVAL=0"),
    "every second since 1900": event("RRULE:FREQ=SECONDLY", start="DTSTART:19000101T000000Z"),
    "every second of a 30 February": event("RRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30"),
    "a rule that takes itself back": event("RRULE:FREQ=DAILY", "EXRULE:FREQ=DAILY"),
    "a thousand million times": event("RRULE:FREQ=DAILY;COUNT=1000000000"),
    "100,000 more dates": event("RDATE;VALUE=DATE:" + ",".join(["20260408"] * 25_000)),
    "100,000 more dates in lines": event(*["RDATE;VALUE=DATE:20260408"] * 100_000),
}


def spent() -> float:
    """The CPU time of all children so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("name", [name for name in BOMBS if name not in TOO_LARGE])
def test_a_bomb_ends_within_the_limits_of_the_child_with_a_sentence(name):
    before = spent()
    with pytest.raises(foreign.NotRead, match=r"^[A-Z][^\n]{10,120}\.$"):
        foreign.drafts(BOMBS[name], ZONE)
    assert spent() - before < CPU


@pytest.mark.parametrize("name", TOO_LARGE)
def test_what_is_too_large_is_refused_before_there_is_a_child(name):
    before = spent()
    with pytest.raises(foreign.LimitReached, match="more than 5 MiB"):
        foreign.drafts(TOO_LARGE[name], ZONE)
    assert spent() == before


@pytest.mark.parametrize("name", REFUSED)
def test_a_bomb_in_one_event_is_a_fault_of_that_event_only(name):
    before = spent()
    found = foreign.drafts(calendar(REFUSED[name], event("SUMMARY:Other", uid="other")), ZONE)
    assert [each.external_ids["ical"] for each in found.events] == ["other"]
    assert {(fault.line, fault.uid) for fault in found.faults} == {(3, "a")}
    assert spent() - before < CPU


def test_tricks_cost_nothing_and_spoil_nothing():
    parts = [part.replace(b"UID:a\r\n", f"UID:{n}\r\n".encode()) for n, part in enumerate(HARMLESS.values())]
    before = spent()
    found = foreign.drafts(calendar(*parts, event("SUMMARY:Other", uid="other")), ZONE)
    assert "other" in [each.external_ids["ical"] for each in found.events]
    assert spent() - before < CPU


def test_the_child_reads_what_its_parts_read():
    """Whatever a library loads late is missing there, since no file can be opened any more."""
    parts = [data for data, *_ in (*test_cases.READ.values(), *test_cases.TOLD.values())]
    parts += [calendar(series) for series, _ in test_cases.EXPANDED.values()]
    parts += [calendar(event("SUMMARY:A", f"RRULE:{rule}", uid=rule)) for rule in test_recurrence.RULES]
    file = b"".join(part for part in parts if part.startswith(b"BEGIN:VCALENDAR"))
    choices = Choices(timezone="Asia/Seoul", expand=True, source="expo")
    assert foreign.drafts(file, choices) == child.result(file, choices).drafts
    korean = calendar(event("SUMMARY:창업 설명회")).decode()
    for encoding in ("cp949", "utf-16"):
        [draft] = foreign.drafts(korean.encode(encoding), choices).events
        assert draft.name.ko == "창업 설명회"
    latin = korean.replace("창업 설명회", "Café").encode("latin-1")
    assert len(foreign.drafts(latin, choices).faults) == 1


def test_five_mib_of_the_shortest_folds_fit_into_the_memory_of_the_child():
    folds = calendar(b"BEGIN:VEVENT\r\nUID:a\r\nSUMMARY:A" + b"\n B" * 1_740_000 + b"\r\nEND:VEVENT\r\n")
    with pytest.raises(foreign.NotRead, match="longer than 262144 bytes"):
        foreign.drafts(folds, ZONE)


def sealed(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process that has sealed itself as the child does."""
    program = (
        f"import errno, os, socket, sqlite3\nfrom service.importers import child\nkept = child.seal()\n{code}"
    )
    return subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    "code",
    [
        "socket.socket()",
        "socket.socketpair()",
        "open('/etc/hostname')",
        "os.open('/tmp/x', os.O_CREAT)",
        "os.pipe()",
        "os.listdir('/')",
    ],
)
def test_a_sealed_process_opens_nothing(code):
    done = sealed(f"try:\n    {code}\nexcept OSError as error:\n    print(errno.errorcode[error.errno])")
    assert (done.stdout, done.stderr) == ("EMFILE\n", "")


def test_a_sealed_process_reaches_no_database(tmp_path):
    done = sealed(
        "try:\n"
        f"    sqlite3.connect({str(tmp_path / 'x.db')!r})\n"
        "except sqlite3.OperationalError as error:\n"
        "    print(error)"
    )
    assert (done.stdout, list(tmp_path.iterdir())) == ("unable to open database file\n", [])


def test_a_sealed_process_knows_every_time_zone():
    done = sealed(
        "from feeds.foreign_times import _ZONES, ZoneInfo\n"
        "print(sum(1 for z in _ZONES.values() if ZoneInfo(z)) > 500)"
    )
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_a_sealed_process_that_swells_gets_no_memory():
    done = sealed("try:\n    bytearray(256 << 20)\nexcept MemoryError:\n    print('none')")
    assert done.stdout == "none\n"


@pytest.mark.campaign
def test_a_sealed_process_that_hangs_is_ended_by_its_seconds():
    before = spent()
    done = sealed("while True: pass")
    assert done.returncode < 0
    assert child.CPU_SECONDS / 2 < spent() - before < child.CPU_SECONDS + 1.5


@pytest.mark.parametrize(
    "code", ["import os; os.kill(os.getpid(), 9)", "raise SystemExit(3)", "import time; time.sleep(60)"]
)
def test_whatever_ends_the_child_the_caller_lives_and_is_told(code):
    begun = time.monotonic()
    with pytest.raises(foreign.LimitReached):
        foreign.drafts(EVENT, ZONE, child=(sys.executable, "-c", code), timeout=timedelta(seconds=3))
    assert time.monotonic() - begun < 30
