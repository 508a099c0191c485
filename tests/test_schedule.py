from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta

import time_machine

from motia_django.celery_app import project_app
from motia_django.registry import registry
from motia_django.schedule import CronSchedule, due_now, entries
from motia_django.tasks import TICK
from tests.factories import installed, make_step, nothing

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def test_each_cron_trigger_is_an_entry_of_beat() -> None:
    triggers = [
        {"type": "cron", "schedule": "0 * * * *"},
        {"type": "queue", "topic": "x"},
        {"type": "cron", "schedule": "*/10 * * * * *", "timezone": "Europe/Berlin"},
    ]
    with installed(make_step(nothing, *triggers)) as steps:
        found = entries(steps)
    assert list(found) == ["motia:Work:0", "motia:Work:2"]
    assert found["motia:Work:2"]["schedule"] == CronSchedule("*/10 * * * * *", "Europe/Berlin")
    assert found["motia:Work:0"]["task"] == TICK


def test_the_sample_projects_schedules_are_beats() -> None:
    scheduled = {each.step.name for each in registry().schedules}
    assert scheduled == {"RemindUsers", "RefreshCatalog"}
    assert {"motia:RemindUsers:0", "motia:RefreshCatalog:2"} <= set(
        project_app().conf.beat_schedule
    )


def test_a_schedule_is_due_once_its_time_has_come() -> None:
    schedule = CronSchedule("*/10 * * * * *")
    with time_machine.travel(NOON + timedelta(seconds=3), tick=False):
        assert schedule.is_due(NOON) == (False, 7.0)
    with time_machine.travel(NOON + timedelta(seconds=10.5), tick=False):
        assert schedule.is_due(NOON) == (True, 9.5)


def test_after_downtime_a_schedule_is_due_once() -> None:
    schedule = CronSchedule("0 * * * *")
    with time_machine.travel(NOON + timedelta(days=3, minutes=1), tick=False):
        due, seconds = schedule.is_due(NOON)
        assert due
        assert seconds == 59 * 60
        assert not schedule.is_due(datetime.now(UTC)).is_due


def test_a_schedule_without_a_future_sleeps() -> None:
    schedule = CronSchedule("0 0 0 1 1 * 2020")
    with time_machine.travel(NOON, tick=False):
        assert not schedule.is_due(NOON).is_due
        assert schedule.remaining_estimate(NOON) == timedelta(days=1)


def test_a_schedule_keeps_its_time_zone() -> None:
    with time_machine.travel(NOON, tick=False):
        assert CronSchedule("0 9 * * *", "Asia/Tokyo").remaining_estimate(NOON) == timedelta(
            hours=12
        )


def test_a_schedule_survives_beats_shelf() -> None:
    schedule = CronSchedule("0 9 * * *", "Asia/Tokyo")
    copy = pickle.loads(pickle.dumps(schedule))
    assert copy == schedule
    assert hash(copy) == hash(schedule)
    assert copy != CronSchedule("0 9 * * *")


def test_beat_tells_the_tick_when_it_was_due() -> None:
    with time_machine.travel(NOON + timedelta(seconds=1.2), tick=False):
        assert due_now("*/10 * * * * *", None) == NOON.isoformat()


def test_a_naive_last_run_is_taken_as_utc() -> None:
    with time_machine.travel(NOON + timedelta(hours=2), tick=False):
        assert CronSchedule("0 * * * *").is_due(NOON.replace(tzinfo=None)).is_due
