"""What `/metrics` shows. Labels take few values, none of them from outside."""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from operator import add
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# When a counter was made: every process has its own.
CREATED = "_created"
COUNTED = ("_total", "_bucket", "_count", "_sum")
LATENESS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3600)


class Metrics:
    """The registry of one process, and what its delivering child counts.

    `child` is the file that the child writes once a second, in the text format of Prometheus.
    """

    child: Path | None = None
    _kept: tuple[Sample, ...] = ()

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
        self.connections = self._gauge("dday_connections", "Connections to the service that are open")
        self.silent = self._gauge("dday_connections_silent", "Connections that have not sent a byte yet")
        self.oldest = self._gauge(
            "dday_oldest_pending_timestamp_seconds", "When the oldest fell due; 0: none"
        )

    def attempted(self, outcome: str | None) -> None:
        """Counts one HTTP request that has ended, whoever asked for it."""
        self.attempts_of(outcome).inc()
        if outcome == "not_allowed":
            self.blocked.inc()

    def write(self, path: Path) -> None:
        """Writes this registry to a file at once, for another process to show."""
        beside = path.with_suffix(".tmp")
        beside.write_bytes(generate_latest(self.registry))
        beside.replace(path)

    def keep_child(self) -> None:
        """Adds up what a child that has ended counted; what it measured is gone with it."""
        counted = (each for each in self._child() if each.name.endswith(COUNTED))
        self._kept = tuple(_joined((*self._kept, *counted), add))
        self.child = None

    def shown(self) -> bytes:
        """This process and its child as one, in the text format of Prometheus."""
        return generate_latest(_Together(self.registry.collect(), (*self._kept, *self._child())))

    def _child(self) -> tuple[Sample, ...]:
        try:
            text = self.child.read_text() if self.child else ""
        except FileNotFoundError:
            return ()
        families = text_string_to_metric_families(text)
        return tuple(
            each for family in families for each in family.samples if not each.name.endswith(CREATED)
        )

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
            names = {each.name for each in metric.samples} | {f"{metric.name}_total"}
            others = (each for name in sorted(names) for each in self._others.get(name, ()))
            both = Metric(metric.name, metric.documentation, metric.type)
            both.samples = list(_joined((*metric.samples, *others), max if metric.type == "gauge" else add))
            yield both


def _joined(samples: Iterable[Sample], join: Callable[[float, float], float]) -> Iterable[Sample]:
    found: dict[tuple[object, ...], Sample] = {}
    for each in samples:
        key = (each.name, *sorted(each.labels.items()))
        value = join(found[key].value, each.value) if key in found else each.value
        found[key] = Sample(each.name, each.labels, value)
    return found.values()
