"""What operators say of single schedules, obeyed wherever a tick is born and by beat itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from celery.beat import PersistentScheduler
from django.apps import apps
from django.db import OperationalError, connection

from motia_django import beat, ledger, models, schedule, starts, tasks, ticks
from motia_django.beat import operators
from motia_django.celery_app import project_app
from motia_django.exceptions import CannotIntervene
from motia_django.registry import Listener, Registry
from tests.factories import installed, make_step, nothing, rows

pytestmark = pytest.mark.django_db(transaction=True)
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
HOURLY = {"type": "cron", "schedule": "0 * * * *", "catchUp": True}
needs_rows = pytest.mark.skipif(
    not apps.is_installed("django_celery_beat"), reason="django-celery-beat is not installed"
)


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Know nothing of other tests' overrides."""
    monkeypatch.setattr(ticks, "known", ticks.Known())


@pytest.fixture
def hourly() -> Iterator[Listener]:
    """The schedule of a Step that is due each hour."""
    app = project_app()
    before = app.conf.beat_schedule
    app.conf.beat_schedule = {}
    with installed(make_step(nothing, HOURLY)) as steps:
        schedule.join_beat(app, steps)
        yield operators.schedule("Work", 0)
    app.conf.beat_schedule = before


def at(moment: datetime) -> Any:
    return time_machine.travel(moment, tick=False)


def born() -> list[str]:
    """Return the due times of the runs there are."""
    return [run.input["scheduledTime"][11:19] for run in rows()]


def worker_gets(due: datetime | None) -> None:
    """Do what a worker does with a message of beat."""
    tasks.tick(project_app().tasks[tasks.TICK], "Work", 0, due.isoformat() if due else None)


# -- pausing, at the place where ticks are born


def test_while_it_is_paused_no_tick_is_born_by_beat_or_by_a_message(hourly: Listener) -> None:
    with at(NOON - MINUTE):
        assert operators.pause(hourly, by="me", reason="moving")
        assert not operators.pause(hourly, by="you")
    with at(NOON):
        ticks.bear("Work", 0)
        worker_gets(NOON)
        worker_gets(None)
    assert born() == []


def test_what_came_due_during_a_pause_is_not_made_up_for(hourly: Listener) -> None:
    with at(NOON - HOUR):
        ticks.bear("Work", 0)
    with at(NOON - MINUTE):
        operators.pause(hourly, by="me")
    with at(NOON + MINUTE):
        assert operators.resume(hourly, by="me")
        assert not operators.resume(hourly, by="me")
        worker_gets(NOON)
        ticks.catch_up([hourly])
        assert born() == ["11:00:00"]
    with at(NOON + HOUR):
        ticks.bear("Work", 0)
    assert born() == ["11:00:00", "13:00:00"]


def test_a_tick_that_came_due_before_the_pause_is_still_born(hourly: Listener) -> None:
    with at(NOON + MINUTE):
        operators.pause(hourly, by="me")
        worker_gets(NOON)
    assert born() == ["12:00:00"]


def test_a_paused_schedule_runs_if_somebody_asks(hourly: Listener) -> None:
    with at(NOON):
        operators.pause(hourly, by="me")
        assert starts.tick_now("Work", 0, by="me")
    assert born() == ["12:00:00"]


def test_other_triggers_and_the_step_itself_go_on(hourly: Listener) -> None:
    two = make_step(nothing, HOURLY, {"type": "cron", "schedule": "*/30 * * * *"})
    with installed(two), at(NOON):
        operators.pause(operators.schedule("Work", 0), by="me")
        ticks.tick("Work", 0, NOON)
        ticks.tick("Work", 1, NOON)
    assert [run.index for run in rows()] == [1]


# -- overriding


def test_an_override_counts_where_ticks_are_born(hourly: Listener) -> None:
    with at(NOON - MINUTE):
        timing = operators.retime(hourly, "*/15 * * * *", "Asia/Kathmandu", by="me", reason="more")
    assert str(timing) == "*/15 * * * * in Asia/Kathmandu"
    for due in (NOON - HOUR, NOON, NOON + 10 * MINUTE, NOON + 15 * MINUTE):
        ticks.tick("Work", 0, due)
    assert born() == ["12:00:00", "12:15:00"]
    override = ledger.override_of("Work", 0)
    assert override is not None
    assert (override.replaces, override.timed_by) == ("0 * * * * in UTC", "me")


def test_dropping_it_leaves_the_word_to_the_file_again(hourly: Listener) -> None:
    assert not operators.restore(hourly, by="me")
    with at(NOON - MINUTE):
        operators.retime(hourly, "*/15 * * * *", "", by="me")
        assert operators.restore(hourly, by="me")
    for due in (NOON - HOUR, NOON, NOON + 15 * MINUTE):
        assert ticks.in_force(
            operators.declared(hourly), ledger.override_of("Work", 0)
        ) == operators.declared(hourly)
        ticks.tick("Work", 0, due)
    assert "12:00:00" in born()
    assert "11:00:00" not in born(), "it came due while the override counted"


@pytest.mark.parametrize(
    ("expression", "zone"), [("soon", ""), ("", ""), ("* " * 300, ""), ("@daily", "Nowhere/At")]
)
def test_what_is_no_time_is_refused(hourly: Listener, expression: str, zone: str) -> None:
    with pytest.raises(CannotIntervene):
        operators.retime(hourly, expression, zone, by="me")
    assert not models.Override.objects.exists()


def test_an_override_that_cannot_be_read_leaves_the_word_to_the_file(hourly: Listener) -> None:
    key = operators.key_of(hourly)
    ledger.retime(key, expression="no", zone="Nowhere", replaces="", by="", reason="")
    override = ledger.override_of(*key)
    declared = operators.declared(hourly)
    assert ticks.in_force(declared, override) == declared


# -- what beat does


@pytest.fixture
def scheduler(hourly: Listener, tmp_path: Any) -> Iterator[PersistentScheduler]:
    """Celery's own scheduler, as beat starts it at noon."""
    with at(NOON + MINUTE):
        file = str(tmp_path / "schedule")
        service: Any = project_app().Beat.Service(app=project_app(), schedule_filename=file)
        found: Any = service.get_scheduler()
    yield found
    found.close()


def rounds(scheduler: PersistentScheduler, moment: datetime) -> float:
    """Let beat go round at a moment until it would sleep; return for how long."""
    with at(moment):
        while (seconds := scheduler.tick()) <= 0:
            continue
    return seconds


def test_beat_ticks_at_the_overrides_pace_and_goes_back_to_the_files(
    scheduler: PersistentScheduler, hourly: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ticks, "FRESH", 1e-6)
    rounds(scheduler, NOON + MINUTE)
    with at(NOON + 2 * MINUTE):
        operators.retime(hourly, "*/10 * * * *", "", by="me")
    rounds(scheduler, NOON + 2 * MINUTE)
    for minutes in (10, 11, 20, 30):
        rounds(scheduler, NOON + minutes * MINUTE)
    assert born() == ["12:10:00", "12:20:00", "12:30:00"]
    with at(NOON + 31 * MINUTE):
        operators.restore(hourly, by="me")
    for minutes in (31, 40, 50, 60):
        rounds(scheduler, NOON + minutes * MINUTE)
    assert born()[3:] == ["13:00:00"]


def test_beat_looks_for_overrides_every_few_seconds(
    scheduler: PersistentScheduler, hourly: Listener
) -> None:
    assert 0 < rounds(scheduler, NOON + MINUTE) <= ticks.FRESH


def test_without_the_database_beat_goes_on_by_what_it_knew(
    scheduler: PersistentScheduler, hourly: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ticks, "FRESH", 1e-6)
    with at(NOON + MINUTE):
        operators.retime(hourly, "*/10 * * * *", "", by="me")
    rounds(scheduler, NOON + 2 * MINUTE)

    def away(execute: Any, sql: str, *rest: Any) -> Any:
        raise OperationalError("the database system is shutting down")

    with connection.execute_wrapper(away):
        rounds(scheduler, NOON + 5 * MINUTE)
        assert ticks.known.override("Work", 0) is not None
    rounds(scheduler, NOON + 10 * MINUTE)
    assert born() == ["12:10:00"]


def test_a_worker_with_beat_inside_heeds_operators_too() -> None:
    class Worker:
        scheduler: Any = "celery.beat:PersistentScheduler"

    class Odd:
        scheduler: Any = "nowhere:Scheduler"

    beat.join_worker(Worker)
    beat.join_worker(Odd)
    assert issubclass(Worker.scheduler, PersistentScheduler)
    assert Worker.scheduler is not PersistentScheduler
    assert Odd.scheduler == "nowhere:Scheduler"


# -- with django-celery-beat's rows


@pytest.fixture
def row(hourly: Listener) -> Any:
    """The row of the schedule."""
    from django_celery_beat.models import PeriodicTask

    from motia_django.beat import rows as beats_rows
    from motia_django.registry import registry

    beats_rows.reconcile(registry())
    return PeriodicTask.objects.get(name="motia:Work:0")


@needs_rows
def test_a_rows_enabled_is_the_truth_and_is_set_by_a_pause(hourly: Listener, row: Any) -> None:
    operators.pause(hourly, by="me", reason="why")
    row.refresh_from_db()
    assert not row.enabled
    operators.resume(hourly, by="me")
    row.refresh_from_db()
    assert row.enabled
    assert not operators.is_paused(hourly, ledger.override_of("Work", 0), operators.row_states())


@needs_rows
def test_enabling_the_row_by_hand_ends_the_pause(hourly: Listener, row: Any) -> None:
    with at(NOON - MINUTE):
        operators.pause(hourly, by="me")
    ticks.tick("Work", 0, NOON)
    assert born() == []
    row.refresh_from_db()
    row.enabled = True
    row.save()
    assert not operators.is_paused(hourly, ledger.override_of("Work", 0), operators.row_states())
    ticks.tick("Work", 0, NOON)
    assert born() == ["12:00:00"]
    assert operators.pause(hourly, by="me again")


@needs_rows
def test_a_pause_outlives_a_release_without_the_step(hourly: Listener, row: Any) -> None:
    with at(NOON - HOUR):
        operators.pause(hourly, by="me", reason="hold")
    from motia_django.beat import rows as beats_rows
    from motia_django.registry import registry

    beats_rows.reconcile(Registry([]))
    beats_rows.reconcile(registry())
    ticks.tick("Work", 0, NOON)
    assert born() == []


@needs_rows
def test_a_row_says_what_an_override_does(hourly: Listener, row: Any) -> None:
    operators.retime(hourly, "30 4 * * *", "Europe/Berlin", by="me")
    row.refresh_from_db()
    assert (row.crontab.minute, row.crontab.hour) == ("30", "4")
    assert "An operator says when" in row.description
    operators.restore(hourly, by="me")
    row.refresh_from_db()
    assert (row.crontab.minute, row.crontab.hour) == ("0", "*")
    assert "Its file says when" in row.description


def test_a_schedule_that_is_gone_is_no_schedule(hourly: Listener) -> None:
    with installed(make_step(nothing)) as steps, pytest.raises(CannotIntervene):
        assert isinstance(steps, Registry)
        operators.schedule("Work", 0)
