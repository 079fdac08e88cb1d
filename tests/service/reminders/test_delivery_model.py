"""The delivery state machine as a model, every reachable state of it visited: two workers, one delivery.

The model has what the SQL has (a fence raised by each claim, absorbing success, fenced failure) and what a
network and an operating system do: a worker may stop for longer than its lease, die, or answer late. What is
asked of every state: success is never lost, nothing is sent that began after a success was on record, and
two workers never both hold the current fence. The unfenced machine is run as well, to show that the model
would find its fault.
"""

from collections import deque
from dataclasses import dataclass, replace
from typing import Literal

import pytest

CLAIMS = 5
TRIES = 3
Phase = Literal["idle", "sending", "ok", "failed"]


@dataclass(frozen=True)
class Worker:
    """`fence` is of its claim; the phase says what it knows of its request."""

    phase: Phase = "idle"
    fence: int = 0


@dataclass(frozen=True)
class State:
    state: str = "pending"
    fence: int = 0
    tries: int = 0
    expired: bool = False
    dropped: bool = False
    received: bool = False
    recorded: bool = False
    after_success: bool = False
    workers: tuple[Worker, ...] = (Worker(), Worker())


def moves(s: State, *, fenced: bool):
    """Every step that somebody can take."""
    if s.state == "leased" and not s.expired:
        yield "the lease runs out", replace(s, expired=True)
    if s.state == "leased" and s.expired:
        yield "recover", replace(s, state="superseded" if s.dropped else "pending", expired=False)
    if s.state == "pending":
        yield "supersede", replace(s, state="superseded")
    if s.state == "leased" and not s.dropped:
        yield "mark as superseded", replace(s, dropped=True)
    for n, worker in enumerate(s.workers):
        for name, after in steps(s, worker, fenced=fenced):
            yield f"{n}: {name}", after(n)


def steps(s: State, worker: Worker, *, fenced: bool):
    def with_worker(news: Worker, **changes):
        def put(n: int) -> State:
            workers = tuple(news if i == n else w for i, w in enumerate(s.workers))
            return replace(s, workers=workers, **changes)

        return put

    if worker.phase == "idle":
        if s.state == "pending" and s.fence < CLAIMS:
            claim = Worker("sending", s.fence + 1)
            yield (
                "claim",
                with_worker(
                    claim,
                    state="leased",
                    fence=s.fence + 1,
                    expired=False,
                    after_success=s.recorded or s.after_success,
                ),
            )
        return
    yield "die", with_worker(Worker())
    if worker.phase == "sending":
        yield "2xx", with_worker(replace(worker, phase="ok"), received=True)
        yield "5xx", with_worker(replace(worker, phase="failed"))
    if worker.phase == "ok":
        counts = worker.fence <= s.fence and s.state != "succeeded"
        done = {"state": "succeeded", "recorded": True, "expired": False, "dropped": False} if counts else {}
        yield "record the success", with_worker(Worker(), **done)
    if worker.phase == "failed":
        yield "record the failure", with_worker(Worker(), **failure(s, worker, fenced=fenced))


def failure(s: State, worker: Worker, *, fenced: bool):
    if fenced and not (worker.fence == s.fence and s.state == "leased"):
        return {}
    tries = s.tries + 1
    ended = "superseded" if s.dropped else "dead" if tries >= TRIES else "pending"
    return {"state": ended, "tries": min(tries, TRIES), "expired": False, "dropped": False}


def faults(s: State):
    if s.recorded and s.state != "succeeded":
        yield "a recorded success was overwritten"
    if s.after_success:
        yield "a send began after a success was on record"
    current = [w for w in s.workers if w.phase != "idle" and w.fence == s.fence]
    if len(current) > 1:
        yield "two workers hold one fence"


def explore(*, fenced: bool):
    seen, queue, found = {State()}, deque([State()]), set()
    while queue:
        state = queue.popleft()
        found.update(faults(state))
        for _, after in moves(state, fenced=fenced):
            if after not in seen:
                seen.add(after)
                queue.append(after)
    return seen, found


def test_no_reachable_state_breaks_a_promise():
    seen, found = explore(fenced=True)
    assert found == set()
    assert len(seen) > 2000


def test_every_end_is_reached():
    seen, _ = explore(fenced=True)
    assert {s.state for s in seen} == {"pending", "leased", "succeeded", "dead", "superseded"}


def test_the_model_finds_the_fault_of_the_unfenced_machine():
    _, found = explore(fenced=False)
    assert "a recorded success was overwritten" in found


@pytest.mark.parametrize("received", [True, False])
def test_a_delivery_that_was_received_can_always_still_be_recorded_or_sent_again(received):
    """From every state something is left to do, unless it is at an end."""
    seen, _ = explore(fenced=True)
    stuck = [s for s in seen if s.state == "leased" and not any(moves(s, fenced=True))]
    assert stuck == []
    assert any(s.received is received for s in seen)
