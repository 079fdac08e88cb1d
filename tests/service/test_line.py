"""The line between parent and child: whole batches, however the bytes come, and nothing else."""

import pytest
from msgspec import DecodeError, ValidationError, msgpack
from service.carrier.word import Receipt
from service.line import LENGTH, MOST_BYTES, BrokenLine, Line

from service.reminders.retry import Answer

RECEIPTS = [(n, Answer(outcome="2xx", status=200, excerpt="ㅎ" * n)) for n in range(40)]


def framed(value: object) -> bytes:
    payload = msgpack.encode(value)
    return LENGTH.pack(len(payload)) + payload


def heard(*pieces: bytes) -> list[list[Receipt]]:
    batches: list[list[Receipt]] = []
    line = Line(list[Receipt], heard=batches.append, lost=lambda: None)
    for piece in pieces:
        line.data_received(piece)
    return batches


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_batches_come_out_whole_however_they_are_cut(size):
    sent = framed([]) + framed(RECEIPTS[:1]) + framed(RECEIPTS)
    pieces = [sent[start : start + size] for start in range(0, len(sent), size)]
    assert heard(*pieces) == [[], RECEIPTS[:1], RECEIPTS]


@pytest.mark.parametrize(
    ("said", "refusal"),
    [
        (LENGTH.pack(MOST_BYTES + 1), BrokenLine),
        (framed([(1, {"outcome": "won"})]), ValidationError),
        (framed([("one", {"outcome": "2xx"})]), ValidationError),
        (framed({"a": 1}), ValidationError),
        (LENGTH.pack(1) + b"\xc1", DecodeError),
    ],
    ids=["too long", "no outcome of ours", "no number", "no batch", "no msgpack"],
)
def test_what_no_child_says_breaks_the_line(said, refusal):
    with pytest.raises(refusal):
        heard(said)
