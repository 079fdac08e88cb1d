"""How fast, how long, how much: the numbers of delivering, with the defaults of docs/reliability.md."""

from datetime import timedelta

from msgspec import Struct

from service.reminders.retry import SCHEDULE


class Tempo(Struct, frozen=True, kw_only=True):
    """Tests and operators change these; nothing else depends on a clock's pace."""

    schedule: tuple[timedelta, ...] = SCHEDULE
    # The total of one attempt, as the egress enforces it.
    attempt: timedelta = timedelta(seconds=15)
    lease: timedelta = timedelta(seconds=60)
    # A send begins only while this much of the lease would be left after it.
    margin: timedelta = timedelta(seconds=5)
    poll: timedelta = timedelta(seconds=1)
    # Results are written together: at most so often while there is much to do.
    group: timedelta = timedelta(milliseconds=40)
    drain: timedelta = timedelta(seconds=20)
    per_webhook: int = 4
    concurrency: int = 64
    # Claimed beyond what is in flight, so that no slot waits for the database.
    ahead: int = 1024

    @property
    def trust(self) -> float:
        """Seconds after the beginning of a claim in which its deliveries may be begun."""
        return (self.lease - self.attempt - self.margin).total_seconds()
