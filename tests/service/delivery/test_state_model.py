"""The delivery state machine as a model, every reachable state of it visited: two workers, one delivery.

All of docs/reliability.md is in it: T1 (planned again) to T10, and the last look that the claim takes. So is
what a network and an operating system do: a worker may stop for longer than its lease, die at any point, or
answer late; time passes; plans change their mind; owners redeliver. The number of claims and redeliveries has
no bound, as of fences the guards only ask whether they are the newest; tries end at 2, abandons at 2.

Asked of every state: success is never lost but to a redelivery, nothing is claimed after a success is on
record, two workers never both hold the newest fence, what is wanted is not given up, and what is unfinished
can still come to an end. The unfenced machine is run as well: the model would find its fault.
"""

from collections import deque
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

TRIES = 2
POISON = 2
ENDS = ("succeeded", "dead", "expired", "superseded")


class Worker(NamedTuple):
    """`phase` is what it knows of its request; `newest` that nobody has claimed after it."""

    phase: str = "idle"
    newest: bool = False


class State(NamedTuple):
    """The row, and what plan, time and owner make of it."""

    state: str = "pending"
    tries: int = 0
    abandons: int = 0
    lapsed: bool = False
    marked: bool = False
    replay: bool = False
    late: bool = False
    wanted: bool = True
    recorded: bool = False
    claimed_after_success: bool = False
    unanswered: bool = False  # redelivered after a success, and not claimed since
    workers: tuple[Worker, Worker] = (Worker(), Worker())


FREE = {"lapsed": False}
Move = tuple[str, State]


def moves(s: State, *, fenced: bool) -> Iterator[Move]:
    """Every step that somebody can take."""
    yield from of_time(s)
    yield from of_others(s)
    for n in (0, 1):
        for name, worker, row in of_worker(s, s.workers[n], fenced=fenced):
            # Two workers are alike, so their order says nothing.
            yield name, row._replace(workers=tuple(sorted((worker, row.workers[1 - n]))))


def of_time(s: State) -> Iterator[Move]:
    if s.state in ("pending", "leased") and not s.late:
        yield "it is too late", s._replace(late=True)
    if s.state == "leased" and not s.lapsed:
        yield "the lease runs out", s._replace(lapsed=True)
    if s.state == "leased" and s.lapsed:
        yield "T3 recover", recovered(s)
    if s.state == "leased" and all(worker.phase == "idle" for worker in s.workers):
        yield "T10 recover all at start", recovered(s)
    if s.state == "pending" and s.late:
        yield "T7 expire", s._replace(state="expired")


def recovered(s: State) -> State:
    abandons = s.abandons + 1
    state = "superseded" if s.marked else "dead" if abandons >= POISON else "pending"
    return s._replace(state=state, abandons=min(abandons, POISON), marked=False, **FREE)


def of_others(s: State) -> Iterator[Move]:
    if s.wanted and s.state == "pending":
        yield "T8 supersede", s._replace(wanted=False, state="superseded")
    if s.wanted and s.state == "leased":
        yield "T8 mark", s._replace(wanted=False, marked=True)
    if not s.wanted and s.state == "superseded" and not s.late:
        yield "T1 plan again", s._replace(wanted=True, state="pending", marked=False)
    if not s.wanted and s.state in ("pending", "leased"):
        yield "T1 plan again", s._replace(wanted=True, marked=s.marked and s.state == "pending")
    if s.state in ("succeeded", "dead", "expired"):
        afresh = {"tries": 0, "abandons": 0, "marked": False, "late": False, "recorded": False}
        again = s._replace(state="pending", replay=True, unanswered=s.recorded, **afresh)
        yield "T9 redeliver", again


def of_worker(s: State, w: Worker, *, fenced: bool) -> Iterator[tuple[str, Worker, State]]:
    idle, holds = Worker(), w.newest and s.state == "leased"
    if w.phase == "idle":
        if s.state == "pending" and not s.late and (s.wanted or s.replay):
            yield "T2 claim", Worker("sending", newest=True), claimed(s)
        elif s.state == "pending" and not s.late:
            yield "T2 claim, end unsent", idle, claimed(s)._replace(state="superseded")
        return
    yield "die", idle, s
    if w.phase == "sending":
        yield "2xx", w._replace(phase="ok"), s
        yield "5xx", w._replace(phase="failed"), s
    if w.phase == "ok":
        yield "T4 record the success", idle, succeeded(s)
    if w.phase == "failed":
        yield "T5, T6 record the failure", idle, failed(s) if holds or not fenced else s


def claimed(s: State) -> State:
    before = tuple(worker._replace(newest=False) for worker in s.workers)
    late = s.claimed_after_success or s.recorded
    changed = {"claimed_after_success": late, "unanswered": False, "workers": before}
    return s._replace(state="leased", **FREE, **changed)


def succeeded(s: State) -> State:
    if s.state == "succeeded":
        return s
    return s._replace(state="succeeded", recorded=True, marked=False, **FREE)


def failed(s: State) -> State:
    ended = "dead" if s.tries + 1 >= TRIES else "expired" if s.late else ""
    state = ended or ("superseded" if s.marked else "pending")
    return s._replace(state=state, tries=min(s.tries + 1, TRIES), abandons=0, marked=False, **FREE)


def faults(s: State) -> Iterator[str]:
    if s.recorded and s.state != "succeeded":
        yield "a recorded success was overwritten"
    if s.claimed_after_success:
        yield "it was claimed after a success was on record"
    if sum(worker.newest and worker.phase != "idle" for worker in s.workers) > 1:
        yield "two workers hold one fence"
    if s.state == "superseded" and s.wanted:
        yield "what is wanted was given up"
    if s.state == "succeeded" and s.unanswered:
        yield "a late success stands for a redelivery"


def visited(*, fenced: bool) -> Iterator[tuple[State, tuple[State, ...]]]:
    """Every reachable state with those that follow it, the nearest first."""
    seen, queue = {State()}, deque([State()])
    while queue:
        state = queue.popleft()
        afters = tuple({after for _, after in moves(state, fenced=fenced)})
        news = [after for after in afters if after not in seen]
        seen.update(news)
        queue.extend(news)
        yield state, afters


@cache
def reachable() -> dict[State, tuple[State, ...]]:
    return dict(visited(fenced=True))


def found() -> set[str]:
    return {fault for state in reachable() for fault in faults(state)}


KNOWN = {"a late success stands for a redelivery"}  # T4 absorbs everything, also late


def test_no_reachable_state_breaks_a_promise():
    assert found() == KNOWN


def test_every_end_is_reached():
    assert {state.state for state in reachable()} == {"pending", "leased", *ENDS}


def test_the_model_finds_the_fault_of_the_unfenced_machine():
    assert any("a recorded success was overwritten" in faults(state) for state, _ in visited(fenced=False))


def test_from_every_state_an_end_can_be_reached():
    before: dict[State, list[State]] = {}
    for state, afters in reachable().items():
        for after in afters:
            before.setdefault(after, []).append(state)
    reached = {state for state in before if state.state in ENDS}
    queue = deque(reached)
    while queue:
        news = [each for each in before.get(queue.popleft(), ()) if each not in reached]
        reached.update(news)
        queue.extend(news)
    assert set(reachable()) - reached == set()


def test_the_whole_machine_is_small():
    assert 1_000 < len(reachable()) < 100_000
