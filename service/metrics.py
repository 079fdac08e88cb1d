"""What `/metrics` shows. Labels take few values, none of them from outside."""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from operator import add

import msgspec
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# When a counter was made: every process has its own.
CREATED = "_created"
COUNTED = ("_total", "_bucket", "_count", "_sum")
LATENESS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3600)


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """One value, as a process tells it to another."""

    name: str
    labels: dict[str, str]
    value: float


class Metrics:
    """The registry of one process, everything counted in it, and what its sending process says it counts."""

    _heard: tuple[Sample, ...] = ()
    _buried: tuple[Sample, ...] = ()

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

    def samples(self) -> tuple[Sample, ...]:
        """What is counted here, for another process to show."""
        return tuple(
            Sample(each.name, each.labels, each.value)
            for metric in self.registry.collect()
            for each in metric.samples
            if not each.name.endswith(CREATED)
        )

    def hear(self, samples: tuple[Sample, ...]) -> None:
        """What the sending process counts by now."""
        self._heard = samples

    def bury(self) -> None:
        """It has ended: what it counted stays counted, what it measured is no more."""
        counted = (each for each in self._heard if each.name.endswith(COUNTED))
        self._buried = tuple(_joined((*self._buried, *counted), add))
        self._heard = ()

    def shown(self) -> bytes:
        return generate_latest(_Together(self.registry.collect(), (*self._buried, *self._heard)))

    def _counter(self, name: str, words: str) -> Counter:
        return Counter(name, words, registry=self.registry)

    def _gauge(self, name: str, words: str) -> Gauge:
        return Gauge(name, words, registry=self.registry)


class _Together:
    """Several processes as one: what they count is added, and of what they measure the highest holds."""

    def __init__(self, own: Iterable[Metric], others: Iterable[Sample]) -> None:
        self._own = own
        self._others: dict[str, list[Sample]] = {}
        for each in others:
            self._others.setdefault(each.name, []).append(each)

    def collect(self) -> Iterator[Metric]:
        for metric in self._own:
            own = [Sample(each.name, each.labels, each.value) for each in metric.samples]
            names = {each.name for each in own} | {f"{metric.name}_total"}
            others = (each for name in sorted(names) for each in self._others.get(name, ()))
            both = Metric(metric.name, metric.documentation, metric.type)
            for each in _joined((*own, *others), max if metric.type == "gauge" else add):
                both.add_sample(each.name, each.labels, each.value)
            yield both


def _joined(samples: Iterable[Sample], join: Callable[[float, float], float]) -> Iterable[Sample]:
    found: dict[tuple[object, ...], Sample] = {}
    for each in samples:
        key = (each.name, *sorted(each.labels.items()))
        value = join(found[key].value, each.value) if key in found else each.value
        found[key] = Sample(each.name, each.labels, value)
    return found.values()
