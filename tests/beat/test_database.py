from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
import time_machine

pytest.importorskip("django_celery_beat")

from celery import schedules
from celery.beat import PersistentScheduler, Service
from django.db import OperationalError, connection
from django.utils.timezone import get_default_timezone
from django_celery_beat.models import CrontabSchedule, PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

from motia_django import beat, schedule, ticks
from motia_django.beat.database import StepEntry, StepScheduler, aware_of_steps
from motia_django.beat.heeding import Heeding, Remembering
from motia_django.beat.service import adapted
from motia_django.celery_app import project_app
from motia_django.declarations import Problem
from motia_django.moments import as_kept
from motia_django.registry import Registry
from motia_django.registry import installed as registry_installed
from motia_django.runs import Status
from tests.factories import installed, make_step, nothing, rows

pytestmark = pytest.mark.django_db(transaction=True)  # django-celery-beat closes connections
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
TEN_SECONDS = {"type": "cron", "schedule": "*/10 * * * * *"}
DATABASE = "django_celery_beat.schedulers:DatabaseScheduler"


@pytest.fixture
def steps() -> Iterator[Registry]:
    """A Step due every ten seconds, and one due each morning, as the project's entries of beat."""
    nightly = make_step(nothing, {"type": "cron", "schedule": "0 3 * * *"}, name="Nightly")
    app = project_app()
    before = app.conf.beat_schedule
    app.conf.beat_schedule = {}
    with installed(make_step(nothing, TEN_SECONDS), nightly) as found:
        schedule.join_beat(app, found)
        yield found
    app.conf.beat_schedule = before


def started(scheduler: Any = "django", lazy: bool = False) -> Any:
    """Return the scheduler that `celery beat --scheduler ...` would work with."""
    service = project_app().Beat.Service(app=project_app(), scheduler_cls=scheduler)
    return service.get_scheduler(lazy=lazy)


def at(moment: datetime) -> Any:
    """Travel to a moment, and stay there, with the clocks of the project's zone."""
    return time_machine.travel(moment.astimezone(get_default_timezone()), tick=False)


def ticked(scheduler: Any, moment: datetime, rounds: int = 6) -> list[str]:
    """Let the scheduler do its rounds at a moment; return the due times of the new runs."""
    before = {run.id for run in rows()}
    with at(moment):
        for _ in range(rounds):
            scheduler.tick()
    new = [run for run in rows() if run.id not in before]
    return [f"{run.step} {run.input['scheduledTime'][11:19]}" for run in new]


# -- which scheduler it is


@pytest.mark.parametrize("name", ["django", DATABASE, DatabaseScheduler])
def test_whatever_the_database_scheduler_is_called_by_ours_is_used(name: Any) -> None:
    assert isinstance(started(name, lazy=True), StepScheduler)


def test_other_schedulers_stay_what_they_are_and_heed_operators() -> None:
    for name in ("celery.beat:PersistentScheduler", PersistentScheduler):
        found = adapted(name)
        assert found.__mro__[1:4] == (Remembering, Heeding, PersistentScheduler)
        assert adapted(found) is found


def test_a_worker_with_beat_inside_uses_ours_too() -> None:
    class Worker:
        scheduler: Any = "django"
        options: ClassVar = {"beat": True}

    beat.join_worker(Worker)
    assert issubclass(Worker.scheduler, StepScheduler)


class TheirEntry(ModelEntry):  # type: ignore[misc]
    """A project's own entry."""

    def hello(self) -> str:
        return f"hello {self.name}"


class TheirScheduler(DatabaseScheduler):  # type: ignore[misc]
    """A project's own scheduler."""

    Entry = TheirEntry

    def setup_schedule(self) -> None:
        super().setup_schedule()
        self.was_set_up = True


def test_a_projects_own_subclass_keeps_working(steps: Registry) -> None:
    scheduler = started(TheirScheduler)
    assert isinstance(scheduler, TheirScheduler)
    assert scheduler.was_set_up
    entry = scheduler.schedule["motia:Work:0"]
    assert isinstance(entry, StepEntry)
    assert entry.hello() == "hello motia:Work:0"
    assert ticked(scheduler, datetime.now(UTC) + 11 * SECOND)
    assert aware_of_steps(type(scheduler)) is type(scheduler)


# -- what it does


def test_at_its_start_the_rows_are_there_and_nothing_is_logged_as_an_error(
    steps: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        scheduler = started()
    names = {"motia:Work:0", "motia:Nightly:0"}
    assert names <= set(scheduler.schedule)
    assert names <= set(PeriodicTask.objects.values_list("name", flat=True))
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert scheduler.schedule["motia:Work:0"].schedule == schedule.CronSchedule("*/10 * * * * *")


def test_ticks_come_to_the_second(steps: Registry) -> None:
    with time_machine.travel(NOON, tick=False):
        scheduler = started()
    assert ticked(scheduler, NOON + 9 * SECOND) == []
    assert ticked(scheduler, NOON + 10 * SECOND) == ["Work 12:00:10"]
    assert ticked(scheduler, NOON + 11 * SECOND) == []
    assert ticked(scheduler, NOON + 20 * SECOND) == ["Work 12:00:20"]


def test_a_row_that_django_celery_beat_takes_to_be_hours_away_is_read(steps: Registry) -> None:
    with time_machine.travel(NOON, tick=False):
        assert "motia:Nightly:0" in started().schedule


def test_two_beats_start_one_run_for_each_tick(steps: Registry) -> None:
    with time_machine.travel(NOON, tick=False):
        first, second = started(), started()
    assert ticked(first, NOON + 10 * SECOND) == ["Work 12:00:10"]
    assert ticked(second, NOON + 10 * SECOND) == []


def test_the_row_remembers_when_it_last_ran(steps: Registry) -> None:
    with at(NOON):
        scheduler = started()
    assert ticked(scheduler, NOON + 10 * SECOND) == ["Work 12:00:10"]
    scheduler.sync()
    row = PeriodicTask.objects.get(name="motia:Work:0")
    assert (row.last_run_at, row.total_run_count) == (as_kept(NOON + 10 * SECOND), 1)
    with at(NOON + 11 * SECOND):
        again = started()
    assert ticked(again, NOON + 20 * SECOND) == ["Work 12:00:20"]


def test_a_pause_holds_at_once_and_through_a_restart(steps: Registry) -> None:
    with time_machine.travel(NOON, tick=False):
        scheduler = started()
    row = PeriodicTask.objects.get(name="motia:Work:0")
    row.enabled = False
    with time_machine.travel(NOON + SECOND, tick=False):
        row.save()
    assert ticked(scheduler, NOON + 10 * SECOND) == []
    with time_machine.travel(NOON + 20 * SECOND, tick=False):
        again = started()
    assert ticked(again, NOON + 30 * SECOND) == []
    row.enabled = True
    with time_machine.travel(NOON + 31 * SECOND, tick=False):
        row.save()
    assert ticked(again, NOON + 40 * SECOND) == ["Work 12:00:40"]


def test_while_the_database_is_away_the_rows_that_were_read_count(steps: Registry) -> None:
    def away(execute: Any, sql: str, *rest: Any) -> Any:
        raise OperationalError("the database system is shutting down")

    with time_machine.travel(NOON, tick=False):
        scheduler = started()
        assert {"motia:Work:0", "motia:Nightly:0"} <= set(scheduler.schedule)
    with time_machine.travel(NOON + timedelta(minutes=6), tick=False):  # all rows are read anew
        with connection.execute_wrapper(away):
            scheduler.tick()
            assert {"motia:Work:0", "motia:Nightly:0"} <= set(scheduler.schedule)
        PeriodicTask.objects.filter(name="motia:Nightly:0").update(enabled=False)
        scheduler.tick()
        assert set(scheduler.schedule) & {"motia:Work:0", "motia:Nightly:0"} == {"motia:Work:0"}


def test_no_beat_starts_on_rows_that_it_cannot_read(
    steps: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(scheduler: Any) -> Any:
        raise OperationalError("the database system is shutting down")

    monkeypatch.setattr(StepScheduler, "enabled_models", away)
    with pytest.raises(OperationalError):
        started()


def test_a_one_off_runs_once(steps: Registry) -> None:
    with time_machine.travel(NOON, tick=False):
        started()
        PeriodicTask.objects.filter(name="motia:Work:0").update(one_off=True)
        scheduler = started()
    assert ticked(scheduler, NOON + 10 * SECOND) == ["Work 12:00:10"]
    assert ticked(scheduler, NOON + 20 * SECOND) == []


def test_the_row_of_a_step_that_another_release_has_does_not_run(steps: Registry) -> None:
    with time_machine.travel(NOON, tick=False):
        scheduler = started()
        started_elsewhere = PeriodicTask.objects.get(name="motia:Work:0")
        started_elsewhere.pk, started_elsewhere.name = None, "motia:Newer:0"
        started_elsewhere.save()
    assert ticked(scheduler, NOON + 10 * SECOND) == ["Work 12:00:10"]
    assert "motia:Newer:0" not in scheduler.schedule


def test_operators_and_the_settings_own_entries_run_as_ever(steps: Registry) -> None:
    each_minute = CrontabSchedule.objects.create(timezone="UTC")
    PeriodicTask.objects.create(name="report", task="shop.report", crontab=each_minute)
    app = project_app()
    own = {"task": "shop.clean", "schedule": schedules.schedule(30), "args": [1]}
    app.conf.beat_schedule = {**app.conf.beat_schedule, "clean": own}
    scheduler = started()
    assert {"report", "clean", "motia:Work:0"} <= set(scheduler.schedule)
    assert PeriodicTask.objects.get(name="clean").args == "[1]"


@pytest.mark.parametrize("catch_up", [False, True])
def test_after_downtime_only_what_catches_up_runs_once(catch_up: bool) -> None:
    trigger = {"type": "cron", "schedule": "0 3 * * *", "catchUp": catch_up}
    with installed(make_step(nothing, trigger)):
        with time_machine.travel(NOON - timedelta(days=5), tick=False):
            started()
        with time_machine.travel(NOON, tick=False):
            scheduler = started()
        ran = ticked(scheduler, NOON)
        assert ran == (["Work 03:00:00"] if catch_up else [])
        assert ticked(scheduler, NOON + SECOND) == []


def test_a_tick_during_a_pause_is_not_made_up_for() -> None:
    trigger = {"type": "cron", "schedule": "0 3 * * *", "catchUp": True}
    with installed(make_step(nothing, trigger)):
        with time_machine.travel(NOON - timedelta(days=5), tick=False):
            started()
            row = PeriodicTask.objects.get(name="motia:Work:0")
            row.enabled = False
            row.save()
        with time_machine.travel(NOON, tick=False):
            row.enabled = True
            row.save()
        assert ticked(started(), NOON + SECOND) == []


def test_a_run_is_born_though_the_broker_takes_no_message(
    steps: Registry, broker: Callable[[str], None]
) -> None:
    with time_machine.travel(NOON, tick=False):
        scheduler = started()
    app = project_app()
    broker("redis://127.0.0.1:1/0")
    entry = scheduler.schedule["motia:Work:0"]
    with time_machine.travel(NOON + 10 * SECOND, tick=False):
        with app.connection_for_write("redis://127.0.0.1:1/0") as dead:
            scheduler.apply_entry(entry, producer=app.amqp.Producer(dead, auto_declare=False))
    [run] = rows()
    assert run.status == Status.QUEUED


def test_with_broken_step_files_no_row_is_removed(steps: Registry) -> None:
    started()
    broken = Registry((), [Problem(id="motia.E001", message="it cannot be imported")])
    with registry_installed(broken):
        started()
    assert PeriodicTask.objects.filter(name__startswith="motia:").count() == 2


# -- catching up without rows


def test_only_schedulers_without_rows_look_into_the_ledger(
    steps: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(ticks, "catch_up", asked.append)
    service = Service(app=project_app(), scheduler_cls=PersistentScheduler)
    service.__dict__["scheduler"] = started()
    beat.catch_up(service)
    assert asked == []
    service.__dict__["scheduler"] = PersistentScheduler(app=project_app(), lazy=True)
    beat.catch_up(service)
    assert asked == [steps.schedules]
