"""What a service and its sending process say to each other over a line (`service.line`)."""

from datetime import datetime
from typing import Literal

import msgspec

from service.metrics import Sample

Stop = Literal["stop"]


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What the process is told when it starts: its end of the pair, whose child it is, and what time it is.

    Its settings are in its environment, as an operator would write them. The time is its parent's, with the
    machine's running time at that instant: started while the clock is in doubt, it doubts it as well.
    """

    socket: int
    parent: int
    now: datetime
    running: float


class News(msgspec.Struct, frozen=True, kw_only=True):
    """Said once a second by a process that is at work: what it has counted so far."""

    samples: tuple[Sample, ...]
