"""How fast, how long and how much: the numbers of delivering, as docs/reliability.md gives them."""

from datetime import timedelta

from msgspec import Struct

from service.settings import Settings

_DEFAULTS = Settings()


class Limits(Struct, frozen=True, kw_only=True):
    """The first four are the operator's settings; tests change the others. Nothing else depends on a pace."""

    schedule: tuple[timedelta, ...] = _DEFAULTS.retry_schedule
    # The total of one attempt, as the egress enforces it.
    attempt: timedelta = _DEFAULTS.attempt_timeout
    lease: timedelta = _DEFAULTS.lease
    # Requests in flight, in all.
    concurrency: int = _DEFAULTS.concurrency
    # Requests in flight to one webhook that answers quickly.
    per_webhook: int = 4
    # A request begins only while this much of the lease would be left after it.
    margin: timedelta = timedelta(seconds=5)
    # The longest pause between two looks at the queue.
    poll: timedelta = timedelta(seconds=1)
    # The shortest time between two transactions while requests are in flight, so that each writes many.
    group: timedelta = timedelta(milliseconds=40)
    # How long a worker that stops waits for the requests in flight.
    drain: timedelta = timedelta(seconds=20)

    @property
    def trust(self) -> float:
        """Seconds after a claim in which its requests may begin."""
        return (self.lease - self.attempt - self.margin).total_seconds()
