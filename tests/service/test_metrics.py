"""What is counted, in one process and in two."""

from service.metrics import Metrics


def shown(metrics: Metrics) -> dict[str, float]:
    lines = metrics.shown().decode().splitlines()
    values = (line.rsplit(" ", 1) for line in lines if not line.startswith("#") and "_created" not in line)
    return {name: float(value) for name, value in values}


def test_what_two_processes_count_is_added_and_of_what_they_measure_the_higher_holds(tmp_path):
    here, there = Metrics(), Metrics()
    here.planned.inc(2)
    there.planned.inc(3)
    here.attempts_of("2xx").inc()
    there.attempts_of("2xx").inc(4)
    there.attempts_of("timeout").inc()
    there.queue.set(7)
    there.lateness.observe(0.2)
    here.lateness.observe(20)
    there.write(tmp_path / "child.prom")
    here.child = tmp_path / "child.prom"
    found = shown(here)
    assert found["dday_reminders_planned_total"] == 5
    assert found['dday_attempts_total{outcome="2xx"}'] == 5
    assert found['dday_attempts_total{outcome="timeout"}'] == 1
    assert found["dday_queue_depth"] == 7
    assert found['dday_lateness_seconds_bucket{le="0.25"}'] == 1
    assert (found["dday_lateness_seconds_count"], found["dday_lateness_seconds_sum"]) == (2, 20.2)


def test_what_a_process_counted_stays_counted_when_it_has_ended_and_what_it_measured_does_not(tmp_path):
    here = Metrics()
    for _ in range(2):
        there = Metrics()
        there.planned.inc(3)
        there.attempts_of("2xx").inc()
        there.queue.set(7)
        there.write(tmp_path / "child.prom")
        here.child = tmp_path / "child.prom"
        here.keep_child()
    found = shown(here)
    assert found["dday_reminders_planned_total"] == 6
    assert found['dday_attempts_total{outcome="2xx"}'] == 2
    assert found["dday_queue_depth"] == 0
