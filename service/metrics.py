"""What `/metrics` shows. Labels take few values, none of them from outside."""

from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LATENESS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3600)


class Metrics:
    """The registry of one service and everything that is counted in it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.planned = self._counter("dday_reminders_planned", "Deliveries planned")
        self.superseded = self._counter("dday_deliveries_superseded", "Deliveries taken back unsent")
        self.expired = self._counter("dday_deliveries_expired", "Deliveries that were of no use any more")
        self.recovered = self._counter("dday_deliveries_recovered", "Deliveries a dead worker had held")
        self.stale = self._counter("dday_stale_writes", "Results that came after their lease was lost")
        self.blocked = self._counter("dday_destinations_blocked", "Attempts refused by the address rules")
        self.disabled = self._counter("dday_webhooks_disabled", "Webhooks switched off by the service")
        self.lost = self._counter("dday_sending_processes_lost", "Processes for sending that died or hung")
        self.attempts = Counter(
            "dday_attempts", "HTTP requests by outcome", ["outcome"], registry=self.registry
        )
        # Finding a label's counter costs more than counting.
        self.attempts_of = cache(self.attempts.labels)
        self.lateness = Histogram(
            "dday_lateness_seconds",
            "From due to the start of the first attempt",
            buckets=LATENESS,
            registry=self.registry,
        )
        self.due_lag = self._gauge("dday_due_lag_seconds", "Age of the oldest delivery that is due")
        self.queue = self._gauge("dday_queue_depth", "Deliveries that are due and not sent")
        self.in_flight = self._gauge("dday_in_flight", "Requests on their way")
        self.planner_lag = self._gauge("dday_planner_lag_seconds", "How far planning is behind")
        self.clock_jump = self._gauge(
            "dday_clock_jump_seconds", "How far the clock has jumped, not believed yet; nothing is sent then"
        )
        self.oldest = self._gauge(
            "dday_oldest_pending_timestamp_seconds", "When the oldest fell due; 0: none"
        )

    def attempted(self, outcome: str | None) -> None:
        """One HTTP request has ended, whoever asked for it."""
        self.attempts_of(outcome).inc()
        if outcome == "not_allowed":
            self.blocked.inc()

    def shown(self) -> bytes:
        return generate_latest(self.registry)

    def _counter(self, name: str, words: str) -> Counter:
        return Counter(name, words, registry=self.registry)

    def _gauge(self, name: str, words: str) -> Gauge:
        return Gauge(name, words, registry=self.registry)
