"""The figures of Steps, on whichever database the tests run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from motia_django.ledger import figures
from motia_django.ledger.figures import measure
from motia_django.models import Run
from motia_django.runs import lowest_id_at

HOUR = timedelta(hours=1)
Have = Callable[..., None]


@pytest.fixture
def have(db: None) -> Have:
    """Return a function that puts runs into the table: by default one that succeeded just now."""
    numbers = count(1)

    def have(
        *, ago: timedelta = timedelta(minutes=1), took: float = 1, many: int = 1, **values: Any
    ) -> None:
        born = timezone.now() - ago
        usual: dict[str, Any] = {
            "step": "A",
            "trigger": "queue",
            "status": "succeeded",
            "attempt": 1,
        }
        usual |= {
            "created_at": born,
            "started_at": born,
            "finished_at": born + timedelta(seconds=took),
        }
        Run.objects.bulk_create(
            Run(
                id=UUID(int=lowest_id_at(born).int + next(numbers)),
                trace_id="a" * 32,
                **{**usual, **values},
            )
            for _ in range(many)
        )

    return have


def test_runs_are_counted_by_step_and_by_how_they_ended(have: Have) -> None:
    have(many=6)
    have(many=2, status="dead")
    have(many=1, status="scheduled", attempt=2, wake_at=timezone.now() + HOUR)
    have(many=1, status="skipped")
    have(many=4, step="B")
    measured = measure(HOUR)
    found = measured.of("A")
    assert (found.runs, found.succeeded, found.dead, found.retrying) == (10, 6, 2, 1)
    assert found.failed == 3
    assert found.failure_rate == pytest.approx(3 / 9)
    assert measured.of("B").failure_rate == 0
    gone = measured.of("C")
    assert (gone.runs, gone.succeeded, gone.dead, gone.retrying, gone.waiting) == (0,) * 5
    assert measured.of("C").failure_rate is None


def test_only_runs_born_in_the_window_are_counted(have: Have) -> None:
    have(ago=timedelta(minutes=59))
    have(ago=timedelta(minutes=61), status="dead")
    have(ago=timedelta(days=6), status="dead")
    assert measure(HOUR).of("A").runs == 1
    assert measure(timedelta(days=1)).of("A").dead == 1
    assert measure(timedelta(days=7)).of("A").runs == 3


def test_half_and_95_of_100_runs_worked_no_longer(have: Have) -> None:
    for seconds in range(1, 101):
        have(took=seconds)
    have(took=1000, status="cancelled")
    have(started_at=None, status="dead")
    found = measure(HOUR).of("A")
    assert (found.p50, found.p95) == (timedelta(seconds=50), timedelta(seconds=95))
    have(step="One", took=7)
    one = measure(HOUR).of("One")
    assert one.p50 == one.p95 == timedelta(seconds=7)
    have(step="Runs", status="running", finished_at=None)
    assert measure(HOUR).of("Runs").p50 is None


def test_what_waits_is_what_could_run_now_whenever_it_was_born(have: Have) -> None:
    now = timezone.now()
    have(status="queued", ago=timedelta(days=3), wake_at=now + HOUR)
    have(status="scheduled", ago=timedelta(days=3), wake_at=now - HOUR)
    have(status="scheduled", wake_at=now + HOUR, attempt=0)
    have(status="running", wake_at=now - HOUR)
    found = measure(HOUR).of("A")
    assert (found.waiting, found.retrying) == (2, 0)


def test_one_step_can_be_asked_for_alone(have: Have) -> None:
    have()
    have(step="B", status="queued", wake_at=timezone.now())
    assert set(measure(HOUR, "A").by_step) == {"A"}
    assert measure(HOUR, "B").of("B").waiting == 1


def test_the_newest_runs_are_looked_at_and_no_more(
    have: Have, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "MOST", 5)
    have(ago=timedelta(minutes=30), many=3, status="dead")
    have(many=5)
    cut = measure(HOUR)
    assert (cut.of("A").runs, cut.of("A").dead, cut.is_cut) == (5, 0, True)
    assert not measure(timedelta(minutes=10)).is_cut
    have(many=9, status="queued", wake_at=timezone.now())
    assert measure(HOUR).of("A").waiting == 5
    assert measure(HOUR).is_backlog_cut


def test_it_takes_three_queries_however_many_steps_there_are(have: Have) -> None:
    for number in range(30):
        have(step=f"S{number}")
        have(step=f"S{number}", status="queued", wake_at=timezone.now())
    with CaptureQueriesContext(connection) as asked:
        assert len(measure(HOUR).by_step) == 30
    assert len(asked) == 3


def test_a_clock_that_was_set_back_makes_no_negative_time(have: Have) -> None:
    have(took=-5)
    assert measure(HOUR).of("A").p95 == timedelta()
