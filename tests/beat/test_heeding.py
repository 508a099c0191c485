from __future__ import annotations

import pickle
import shelve
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.beat import BeatLazyFunc, PersistentScheduler, ScheduleEntry, Scheduler

from motia_django import ticks
from motia_django.beat.heeding import heeding
from motia_django.schedule import CronSchedule, join_beat
from motia_django.tasks import TICK
from tests.factories import installed, make_step, nothing

CRON = {"type": "cron", "schedule": "0 9 * * *", "timezone": "Asia/Tokyo", "catchUp": True}
OWN = {"task": "own", "schedule": 60.0}
BEFORE = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Foreign(pickle.Unpickler):
    """Reads pickles as a project does that does not know this package."""

    def find_class(self, module: str, name: str) -> Any:
        assert not module.startswith("motia_django"), f"{module}.{name}"
        return super().find_class(module, name)


class Earlier(CronSchedule):
    """A schedule that is pickled as it was before it was pickled as one of Celery's."""

    def __reduce__(self) -> tuple[Any, ...]:
        return CronSchedule, self._facts(), {"trigger": self.trigger}


@contextmanager
def beat(file: Path) -> Iterator[Any]:
    """Make beat's own scheduler, for the one Step there is and an entry of the project's."""
    app = Celery("proj", broker="memory://", set_as_current=False)
    app.conf.update(beat_schedule={"own": OWN}, result_expires=None)
    with installed(make_step(nothing, CRON)) as steps:
        join_beat(app, steps)
        scheduler = heeding(PersistentScheduler)(app=app, schedule_filename=str(file))
        yield scheduler
        scheduler.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "celerybeat-schedule"


def test_beats_file_can_be_read_without_this_package(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with beat(file):
        pass
    monkeypatch.setattr(shelve, "Unpickler", Foreign)
    with shelve.open(str(file)) as stored:
        assert set(stored["entries"]) == {"own", "motia:Work:0"}
        assert type(stored["entries"]["motia:Work:0"]) is ScheduleEntry
        assert not stored["entries"]["motia:Work:0"].is_due()[0]


def test_beat_goes_on_with_the_steps_schedules_after_it_has_written_its_file(file: Path) -> None:
    with beat(file) as scheduler:
        for _ in range(2):
            scheduler.sync()
            entry = scheduler.schedule["motia:Work:0"]
            assert entry.schedule == CronSchedule("0 9 * * *", "Asia/Tokyo", catch_up=True)
            assert entry.schedule.trigger == ("Work", 0)
            assert entry.args[2]._func == ticks.bear


def test_what_ran_last_and_how_often_survives_a_restart_of_beat(file: Path) -> None:
    with beat(file) as scheduler:
        ran = {name: scheduler.reserve(entry) for name, entry in scheduler.schedule.items()}
    with beat(file) as scheduler:
        assert set(scheduler.schedule) == set(ran)
        for name, entry in scheduler.schedule.items():
            assert (entry.last_run_at, entry.total_run_count) == (ran[name].last_run_at, 1)
        assert scheduler.schedule["motia:Work:0"].schedule.text == "0 9 * * *"


def test_a_file_that_an_earlier_version_wrote_is_read(file: Path) -> None:
    args = ("Work", 0, BeatLazyFunc(ticks.bear, "Work", 0))
    entry = ScheduleEntry("motia:Work:0", TICK, BEFORE, 7, Earlier("@daily"), args)
    with shelve.open(str(file)) as stored:
        entries = {"motia:Work:0": entry}
        stored.update(entries=entries, __version__="5.6.0", tz=None, utc_enabled=True)
    with beat(file) as scheduler:
        found = scheduler.schedule["motia:Work:0"]
        assert (found.last_run_at, found.total_run_count) == (BEFORE, 7)
        assert found.schedule.text == "0 9 * * *"
        assert found.schedule.remaining_estimate(BEFORE) < timedelta(0)


def test_beat_may_write_and_close_its_file_again_once_that_is_closed(file: Path) -> None:
    with beat(file) as scheduler:
        scheduler.reserve(scheduler.schedule["own"])
        scheduler.close()
        scheduler.sync()
        scheduler.close()
    with beat(file) as scheduler:
        assert scheduler.schedule["own"].total_run_count == 1


def test_a_scheduler_that_was_never_set_up_can_be_closed(file: Path) -> None:
    app = Celery("proj", broker="memory://", set_as_current=False)
    heeding(PersistentScheduler)(app=app, schedule_filename=str(file), lazy=True).close()
    heeding(Scheduler)(app=app, lazy=True).close()
