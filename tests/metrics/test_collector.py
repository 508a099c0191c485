"""The metrics, read back by Prometheus's own parser, on whichever database the tests run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from itertools import count
from typing import Any, cast
from uuid import UUID

import pytest
import time_machine
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families

from motia_django import enqueue, ledger
from motia_django.conf import settings
from motia_django.ledger import Tallied, meters
from motia_django.metrics.collector import BUCKETS, MotiaCollector
from motia_django.models import Run, Worker
from motia_django.runs import lowest_id_at
from tests.factories import QUEUE, installed, kept_run, make_step, nothing

pytestmark = pytest.mark.django_db
Have = Callable[..., None]
MINUTE = timedelta(minutes=1)
STEPS = (
    make_step(name="Work"),
    make_step(nothing, {**QUEUE, "config": {"queue": "slow"}}, name="Slow"),
    make_step(nothing, {"type": "http", "path": "/x"}, name="Door"),
)
CRON = make_step(nothing, {"type": "cron", "schedule": "* * * * *"}, name="Nightly")


@pytest.fixture
def have() -> Have:
    """Return a function that puts runs into the table: by default one that succeeded just now."""
    numbers = count(1)

    def have(*, ago: timedelta = MINUTE, took: float = 1, many: int = 1, **values: Any) -> None:
        born = timezone.now() - ago
        usual = {
            "step": "Work", "trigger": "queue", "status": "succeeded", "attempt": 1,
            "created_at": born, "started_at": born, "finished_at": born + timedelta(seconds=took),
        }  # fmt: skip
        Run.objects.bulk_create(
            Run(id=UUID(int=lowest_id_at(born).int + next(numbers)), trace_id="a" * 32,
                **{**usual, **values})
            for _ in range(many)
        )  # fmt: skip

    return have


def scraped() -> dict[str, dict[tuple[str, ...], float]]:
    """Return the value of each sample by its name and the values of its labels, the Step first."""
    registry = CollectorRegistry()
    registry.register(MotiaCollector())
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            labels = sorted(sample.labels, key=lambda label: label != "step")
            values = tuple(sample.labels[label] for label in labels)
            found.setdefault(sample.name, {})[values] = sample.value
    return found


def test_runs_are_told_by_step_and_status_over_a_window(have: Have) -> None:
    have(many=3)
    have(many=2, status="dead")
    have(status="scheduled", wake_at=timezone.now() + MINUTE, finished_at=None)
    have(status="scheduled", attempt=0, wake_at=timezone.now() + MINUTE, finished_at=None)
    have(step="Slow", status="running", finished_at=None)
    have(ago=6 * MINUTE, many=7)
    with installed(*STEPS):
        found = scraped()
    assert found["motia_window_runs"] == {
        ("Work", "succeeded"): 3,
        ("Work", "dead"): 2,
        ("Work", "retrying"): 1,
        ("Work", "scheduled"): 1,
        ("Slow", "running"): 1,
    }
    assert found["motia_window_seconds"] == {(): 300}


def test_durations_are_a_histogram_of_the_window(have: Have) -> None:
    for seconds in (0.01, 0.2, 0.2, 40, 5000):
        have(took=seconds)
    have(took=3, status="dead")
    have(took=9, status="skipped")
    with installed(*STEPS):
        found = scraped()
    buckets = {
        labels[1]: value for labels, value in found["motia_window_run_seconds_bucket"].items()
    }
    assert list(buckets) == [*map(str, BUCKETS), "+Inf"]
    told = {bound: buckets[bound] for bound in ("0.005", "0.025", "0.25", "5.0", "60.0", "+Inf")}
    assert told == {"0.005": 0, "0.025": 1, "0.25": 3, "5.0": 4, "60.0": 5, "+Inf": 6}
    assert found["motia_window_run_seconds_gcount"] == {("Work",): 6}
    assert found["motia_window_run_seconds_gsum"] == {("Work",): pytest.approx(5043.41)}


def test_of_too_many_runs_the_newest_tell_of_a_shorter_window(
    have: Have, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meters, "MOST", 10)
    have(ago=4 * MINUTE, many=10)
    have(ago=2 * MINUTE, many=10)
    with installed(*STEPS):
        found = scraped()
    assert found["motia_window_runs"] == {("Work", "succeeded"): 10}
    assert 120 <= found["motia_window_seconds"][()] < 240


def test_the_backlog_is_told_by_step_and_queue_and_zero_is_told_too(have: Have) -> None:
    now = timezone.now()
    have(many=3, status="queued", wake_at=now + MINUTE)
    have(many=2, status="scheduled", wake_at=now - MINUTE)
    have(many=9, status="scheduled", wake_at=now + MINUTE)
    with installed(*STEPS):
        found = scraped()
    assert found["motia_backlog_runs"] == {("Work", "celery"): 5, ("Slow", "slow"): 0}
    assert found["motia_late_runs"] == {(): 2}


def test_what_waits_is_counted_no_further_than_that(
    have: Have, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meters, "MOST", 3)
    have(many=5, status="queued", wake_at=timezone.now() + MINUTE)
    have(many=2, status="scheduled", wake_at=timezone.now() - MINUTE)
    with installed(*STEPS):
        assert scraped()["motia_backlog_runs"]["Work", "celery"] == 3 + 2


def test_openmetrics_reads_the_same(have: Have) -> None:
    have(took=0.2)
    registry = CollectorRegistry()
    with installed(*STEPS):
        registry.register(MotiaCollector())
        write, read = cast(Any, openmetrics.generate_latest), cast(Any, parse_openmetrics)
        families = {each.name: each for each in read(write(registry).decode())}
    assert families["motia_window_run_seconds"].type == "gaugehistogram"
    assert {each.type for each in families.values()} == {"gauge", "gaugehistogram"}


def test_a_project_without_time_zones_is_told_the_same(have: Have) -> None:
    with installed(*STEPS), override_settings(USE_TZ=False):
        have(status="queued", ago=3 * MINUTE, wake_at=timezone.now() + 60 * MINUTE, attempt=0)
        Worker.objects.create(name="one@host", seen_at=timezone.now() - 2 * MINUTE)
        found = scraped()
    assert found["motia_window_runs"] == {("Work", "queued"): 1}
    assert 180 <= found["motia_oldest_queued_seconds"]["Work",] < 240
    assert found["motia_workers"] == {("alive",): 0, ("silent",): 1}


def test_what_waits_for_a_step_that_is_gone_is_told(have: Have) -> None:
    have(many=3, step="Gone", status="queued", wake_at=timezone.now() + MINUTE)
    with installed(*STEPS):
        assert scraped()["motia_backlog_runs"]["Gone", "celery"] == 3


def test_the_oldest_queued_run_of_each_step_has_its_age(have: Have) -> None:
    wakes = timezone.now() + timedelta(hours=1)
    have(status="queued", ago=3 * MINUTE, wake_at=wakes, attempt=0)
    have(status="queued", ago=2 * MINUTE, wake_at=wakes, attempt=0)
    have(status="queued", ago=MINUTE, wake_at=wakes, attempt=0, step="Slow")
    with installed(*STEPS):
        ages = scraped()["motia_oldest_queued_seconds"]
    assert {step: round(age / 60) for (step,), age in ages.items()} == {"Work": 3, "Slow": 1}


def test_what_waits_its_turn_is_told_apart_from_what_waits_for_a_worker(
    django_capture_on_commit_callbacks: Any,
) -> None:
    fifo = make_step(nothing, {**QUEUE, "config": {"type": "fifo"}}, name="Pack")
    with installed(*STEPS[1:], fifo), django_capture_on_commit_callbacks(execute=True):
        groups = [{"topic": "work", "messageGroupId": group} for group in "aabbb"]
        enqueue(groups)
    later = timezone.now() + timedelta(seconds=settings().publish_patience)
    Run.objects.filter(step="Pack").update(
        created_at=timezone.now() - 3 * MINUTE, wake_at=later - 2 * MINUTE
    )
    with installed(*STEPS[1:], fifo), CaptureQueriesContext(connection) as queries:
        found = scraped()
    assert found["motia_backlog_runs"]["Pack", "celery"] == 2
    assert found["motia_in_turn_runs"] == {("Pack",): 3, ("Slow",): 0, ("Door",): 0}
    assert 120 <= found["motia_oldest_queued_seconds"]["Pack",] < 150
    assert found["motia_oldest_in_turn_seconds"]["Pack",] >= 120
    assert len(queries) <= 10


def test_the_age_of_a_delayed_run_begins_when_it_is_queued() -> None:
    with installed(*STEPS), override_settings(MOTIA={"PUBLISH_PATIENCE": 30}):
        run = kept_run(created_at=timezone.now() - timedelta(days=2))
        Run.objects.filter(id=run.id).update(publishes=1, wake_at=timezone.now() + MINUTE / 4)
        age = scraped()["motia_oldest_queued_seconds"]["Work",]
    assert 15 <= age < 60


def test_the_dead_are_told_by_step_however_old(have: Have) -> None:
    have(many=4, status="dead", ago=timedelta(days=99))
    have(status="queued", wake_at=timezone.now() + MINUTE)
    have(status="scheduled", wake_at=timezone.now() + MINUTE)
    with installed(*STEPS):
        dead = scraped()["motia_dead_runs"]
    assert dead == {("Work",): 4, ("Slow",): 0, ("Door",): 0}


def test_workers_are_alive_or_silent() -> None:
    Worker.objects.create(name="one@host")
    Worker.objects.create(name="two@host", seen_at=timezone.now() - MINUTE)
    Worker.objects.create(name="three@host", seen_at=timezone.now() - 2 * MINUTE)
    assert scraped()["motia_workers"] == {("alive",): 1, ("silent",): 2}


def test_paused_steps_are_counted() -> None:
    with installed(*STEPS):
        ledger.pause("Work", by="ada", reason="")
        assert scraped()["motia_paused_steps"] == {(): 1}


def test_refused_requests_are_those_of_this_hour_and_the_last() -> None:
    with time_machine.travel("2026-11-29 12:59Z", tick=False), installed(*STEPS):
        now = ledger.hour_of(timezone.now())
        for hours, requests in enumerate((1, 2, 4)):
            ledger.add_tallies(
                {Tallied("refused", now - timedelta(hours=hours), "Work", 401): requests}
            )
        assert scraped()["motia_refused_requests"] == {("Work", "401"): 3}


def test_unheard_messages_are_told_by_step_and_topic() -> None:
    with time_machine.travel("2026-11-29 12:59Z", tick=False), installed(*STEPS):
        now = ledger.hour_of(timezone.now())
        for hours, messages in enumerate((1, 2, 4)):
            hour = now - timedelta(hours=hours)
            ledger.add_tallies({Tallied("unheard", hour, "Work", "wrok"): messages})
        ledger.add_tallies({Tallied("unheard", now, "", "lost"): 5})
        found = scraped()["motia_unheard_messages"]
    assert found == {("Work", "wrok"): 3, ("", "lost"): 5}


def test_late_schedules_are_told_by_step(have: Have) -> None:
    with installed(*STEPS, CRON):
        assert scraped()["motia_late_schedules"] == {("Nightly",): 0}
        have(step="Nightly", trigger="cron", source="* * * * *", ago=timedelta(hours=1))
        assert scraped()["motia_late_schedules"] == {("Nightly",): 1}


def test_nothing_at_all_is_told_too() -> None:
    with installed():
        found = scraped()
    assert found["motia_late_runs"] == {(): 0}
    assert found["motia_workers"] == {("alive",): 0, ("silent",): 0}


def test_names_that_prometheus_has_signs_for_are_told_as_they_are(have: Have) -> None:
    name = 'Ærlig "talt"\\{}\n'
    have(step=name)
    with installed():
        assert scraped()["motia_window_runs"] == {(name, "succeeded"): 1}


def test_it_is_registered_before_there_is_a_table(django_db_blocker: Any) -> None:
    with django_db_blocker.block():
        CollectorRegistry(auto_describe=True).register(MotiaCollector())


@pytest.mark.parametrize("many", [0, 300])
def test_it_asks_the_same_few_queries_however_many_runs_there_are(have: Have, many: int) -> None:
    for status in ("succeeded", "queued", "scheduled", "dead"):
        have(many=many, status=status, wake_at=timezone.now())
    with installed(*STEPS, CRON), CaptureQueriesContext(connection) as queries:
        scraped()
    assert len(queries) <= 10, "\n".join(_told(queries.captured_queries))


def _told(queries: Sequence[Mapping[str, Any]]) -> list[str]:
    return [str(query["sql"])[:200] for query in queries]
