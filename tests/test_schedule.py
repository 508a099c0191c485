from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime, timedelta

import celery.schedules
import pytest
import time_machine
from celery.beat import BeatLazyFunc

from motia_django import ticks
from motia_django.celery_app import project_app
from motia_django.registry import registry
from motia_django.schedule import CronSchedule, entries
from motia_django.tasks import TICK
from motia_django.ticks import LONGEST_NAME
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


@pytest.mark.parametrize("catch_up", [False, True])
def test_after_downtime_a_schedule_that_catches_up_is_due_once_and_others_are_not(
    catch_up: bool,
) -> None:
    schedule = CronSchedule("0 * * * *", catch_up=catch_up)
    with time_machine.travel(NOON + timedelta(days=3, minutes=20), tick=False):
        assert schedule.is_due(NOON) == (catch_up, 40 * 60)
        assert not schedule.is_due(datetime.now(UTC)).is_due


def test_a_tick_is_late_up_to_the_grace_and_missed_after_it() -> None:
    schedule, due = CronSchedule("0 * * * *"), NOON + timedelta(hours=1)
    with time_machine.travel(due + ticks.GRACE, tick=False):
        assert schedule.is_due(NOON).is_due
    with time_machine.travel(due + ticks.GRACE + timedelta(microseconds=1), tick=False):
        assert not schedule.is_due(NOON).is_due


def test_of_several_missed_ticks_the_newest_decides() -> None:
    schedule = CronSchedule("*/10 * * * * *")
    with time_machine.travel(NOON + timedelta(days=3, seconds=12), tick=False):
        assert schedule.is_due(NOON) == (True, 8.0)


def test_after_the_last_year_of_a_schedule_nothing_is_due() -> None:
    schedule = CronSchedule("0 0 0 1 1 * 2020")
    with time_machine.travel(NOON, tick=False):
        assert not schedule.is_due(datetime(2019, 1, 1, tzinfo=UTC)).is_due


def test_a_clock_set_back_makes_no_tick_due_again() -> None:
    with time_machine.travel(NOON - timedelta(minutes=5), tick=False):
        assert not CronSchedule("* * * * *").is_due(NOON).is_due


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


def test_a_schedule_is_what_it_says() -> None:
    schedule = CronSchedule("0 9 * * *", "Asia/Tokyo")
    assert schedule == CronSchedule("0 9 * * *", "Asia/Tokyo")
    assert hash(schedule) == hash(CronSchedule("0 9 * * *", "Asia/Tokyo"))
    assert schedule != CronSchedule("0 9 * * *")
    assert schedule != CronSchedule("0 9 * * *", "Asia/Tokyo", catch_up=True)


def test_a_copy_of_a_schedule_is_that_schedule() -> None:
    schedule = CronSchedule("0 9 * * *", "Asia/Tokyo")
    assert copy.copy(schedule) is schedule
    assert copy.deepcopy({"schedule": schedule}) == {"schedule": schedule}


def test_what_is_pickled_of_an_entry_is_celerys_and_never_due() -> None:
    with installed(make_step(nothing, {"type": "cron", "schedule": "* * * * * *"})) as steps:
        [entry] = entries(steps).values()
    schedule, args = pickle.loads(pickle.dumps((entry["schedule"], entry["args"])))
    assert type(schedule) is celery.schedules.schedule
    assert not schedule.is_due(datetime.now(UTC) - timedelta(days=365)).is_due
    assert args[:2] == ("Work", 0)
    assert type(args[2]) is BeatLazyFunc
    assert not args[2]()  # so that a worker that is given it takes the newest tick


def test_entries_of_long_names_are_told_apart_within_the_columns_width() -> None:
    triggers = [{"type": "cron", "schedule": "@daily"}] * 2
    steps = [make_step(nothing, *triggers, name=name) for name in ("a" * 200, "a" * 199 + "b")]
    with installed(*steps) as found:
        names = list(entries(found))
    assert len(set(names)) == 4
    assert {len(name) for name in names} == {LONGEST_NAME}


def test_a_naive_last_run_is_taken_as_utc() -> None:
    with time_machine.travel(NOON + timedelta(hours=2), tick=False):
        assert CronSchedule("0 * * * *").is_due(NOON.replace(tzinfo=None)).is_due
        assert not CronSchedule("0 * * * *").is_due(datetime(2026, 6, 1, 14)).is_due
