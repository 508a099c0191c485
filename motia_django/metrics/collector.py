"""The metrics themselves, as a collector of `prometheus_client` (the extra `prometheus`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from prometheus_client.core import GaugeHistogramMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from motia_django import ledger
from motia_django.ledger import meters
from motia_django.queues import queue_at
from motia_django.registry import registry
from motia_django.standings import late_schedules

WINDOW = timedelta(minutes=5)
HOUR = timedelta(hours=1)
BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
"""Seconds, from what a quick Step takes to the longest that is still told apart."""


class MotiaCollector(Collector):
    """What Motia's runs, Steps, schedules and workers are doing, all of the deployment's.

    Register it where the project has an endpoint of its own: `REGISTRY.register(MotiaCollector())`.
    It keeps nothing, and asks the ledger at each `collect()`.
    """

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that it can be registered before there is a database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Ask the ledger, and yield each metric."""
        yield from _of_window(meters.window(WINDOW))
        waiting = meters.waiting()
        yield _backlog(waiting)
        yield _by_step("motia_in_turn_runs", "Runs that wait their turn", waiting.in_turn)
        yield _by_step("motia_dead_runs", "Runs that are dead now", waiting.dead)
        yield from _oldest(meters.longest_waits())
        yield GaugeMetricFamily(
            "motia_late_runs", "Runs that upkeep should have published by now", waiting.late
        )
        yield _labelled(
            "motia_workers", "Workers by whether they give signs of life", meters.seen_workers()
        )
        yield GaugeMetricFamily("motia_paused_steps", "Steps that are paused", len(ledger.paused()))
        yield _late_schedules()
        yield from _tallied(ledger.tallied(HOUR))


def _of_window(window: meters.Window) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "motia_window_seconds",
        "Length of the window that motia_window_* tell of: shorter if there was too much in it",
        window.seconds,
    )
    runs = GaugeMetricFamily(
        "motia_window_runs",
        "Runs born in the window, by the status that they have now",
        labels=("step", "status"),
    )
    for (step, status), count in sorted(window.runs.items()):
        runs.add_metric((step, status), count)
    yield runs
    worked = GaugeHistogramMetricFamily(
        "motia_window_run_seconds",
        "How long runs born in the window worked that succeeded or died, in their last attempt",
        labels=("step",),
    )
    for step, lengths in sorted(window.worked.items()):
        seconds = [max(each.total_seconds(), 0.0) for each in lengths]
        worked.add_metric((step,), _buckets(seconds), sum(seconds))
    yield worked


def _buckets(seconds: Sequence[float]) -> list[tuple[str, float]]:
    """Return how many are not above each bound, as a histogram has it."""
    bounds = (*BUCKETS, float("inf"))
    return [
        ("+Inf" if bound == float("inf") else str(bound), sum(each <= bound for each in seconds))
        for bound in bounds
    ]


def _backlog(waiting: meters.Waiting) -> Metric:
    """Tell what waits by Step and Celery queue; also of Steps of which nothing does."""
    kinds = dict.fromkeys(_kinds(), 0) | waiting.backlog
    counts: Counter[tuple[str, str]] = Counter()
    for (step, trigger, index), count in kinds.items():
        counts[step, queue_at(step, trigger, index)] += count
    metric = GaugeMetricFamily(
        "motia_backlog_runs",
        "Runs that could run now and wait for a worker",
        labels=("step", "queue"),
    )
    for labels, count in sorted(counts.items()):
        metric.add_metric(labels, count)
    return metric


def _kinds() -> Iterator[meters.Kind]:
    """Yield what may start Steps in workers."""
    for step in registry():
        for index, trigger in enumerate(step.triggers):
            if trigger.kind != "http":
                yield step.name, trigger.kind, index


def _by_step(name: str, text: str, counts: Counter[str]) -> Metric:
    known = dict.fromkeys((step.name for step in registry()), 0) | counts
    return _labelled(name, text, known, label="step")


def _oldest(ages: meters.Ages) -> Iterator[Metric]:
    text = "For how long the run that has waited for longest has waited for"
    yield _labelled(
        "motia_oldest_queued_seconds", f"{text} a worker", _seconds(ages.for_worker), label="step"
    )
    yield _labelled(
        "motia_oldest_in_turn_seconds", f"{text} its turn", _seconds(ages.for_turn), label="step"
    )


def _seconds(ages: dict[str, timedelta]) -> dict[str, float]:
    return {step: age.total_seconds() for step, age in ages.items()}


def _late_schedules() -> Metric:
    late = Counter(each.listener.step.name for each in late_schedules())
    known = dict.fromkeys((each.step.name for each in registry().schedules), 0) | late
    text = "Schedules whose last tick should have come by now"
    return _labelled("motia_late_schedules", text, known, label="step")


def _tallied(found: ledger.Tallies) -> Iterator[Metric]:
    refused = GaugeMetricFamily(
        "motia_refused_requests",
        "Requests refused in this hour and the last, by the status code that answered them",
        labels=("step", "status"),
    )
    for request in sorted(found.refused, key=lambda each: (each.step, each.status)):
        refused.add_metric((request.step, str(request.status)), request.requests)
    yield refused
    unheard = GaugeMetricFamily(
        "motia_unheard_messages",
        "Messages to topics that nobody heard in this hour and the last, by the Step that sent",
        labels=("step", "topic"),
    )
    for message in sorted(found.unheard, key=lambda each: (each.step, each.topic)):
        unheard.add_metric((message.step, message.topic), message.messages)
    yield unheard


def _labelled(
    name: str, text: str, values: dict[str, float] | dict[str, int], label: str = "state"
) -> Metric:
    metric = GaugeMetricFamily(name, text, labels=(label,))
    for key, value in sorted(values.items()):
        metric.add_metric((key,), value)
    return metric
