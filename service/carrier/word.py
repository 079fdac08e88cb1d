"""What parent and child say to each other over a line (`service.line`)."""

import msgspec

from service.egress.client import Request
from service.reminders.retry import Answer

# Numbered by the parent, so that a receipt finds its parcel.
Parcel = tuple[int, Request]
Receipt = tuple[int, Answer]


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a child is told when it starts: its end of the pair, whose child it is, what it may do."""

    socket: int
    parent: int
    allow: tuple[str, ...]
    deadline: float
    log: str
