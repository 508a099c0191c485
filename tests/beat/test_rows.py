from __future__ import annotations

import json
from typing import Any

import pytest

pytest.importorskip("django_celery_beat")

from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask, PeriodicTasks

from motia_django.beat.rows import Reconciled, reconcile
from motia_django.registry import Registry
from motia_django.steps import Step
from motia_django.tasks import TICK
from motia_django.ticks import LONGEST_NAME
from tests.factories import make_step, nothing

pytestmark = pytest.mark.django_db


def scheduled(schedule: str = "0 9 * * *", name: str = "Work", **keys: Any) -> Step:
    return make_step(nothing, {"type": "cron", "schedule": schedule, **keys}, name=name)


def sync(*steps: Step) -> Reconciled:
    return reconcile(Registry(steps))


def the_row(name: str = "motia:Work:0") -> Any:
    return PeriodicTask.objects.get(name=name)


def test_a_row_is_added_for_each_cron_trigger() -> None:
    step = make_step(
        nothing,
        {"type": "cron", "schedule": "*/10 * * * * *", "timezone": "Europe/Berlin"},
        {"type": "queue", "topic": "x"},
        {"type": "cron", "schedule": "@daily"},
    )
    assert sync(step) == Reconciled(added=["motia:Work:0", "motia:Work:2"])
    row = the_row()
    assert (row.task, json.loads(row.args), row.enabled) == (TICK, ["Work", 0], True)
    assert row.description.startswith("*/10 * * * * * in Europe/Berlin: Step Work of tests.")
    assert str(row.crontab) == "* * * * * (m/h/dM/MY/d) Europe/Berlin"
    assert str(the_row("motia:Work:2").crontab) == "0 0 * * * (m/h/dM/MY/d) UTC"
    row.full_clean()


def test_what_is_right_is_left_alone() -> None:
    sync(scheduled())
    before = PeriodicTasks.last_change()
    assert sync(scheduled()) == Reconciled(unchanged=["motia:Work:0"])
    assert PeriodicTasks.last_change() == before


@pytest.mark.parametrize(
    "keys",
    [
        {"schedule": "1 9 * * *"},
        {"schedule": "30 0 9 * * *"},  # only the seconds differ
        {"schedule": "0 0 9 * * * 2030"},  # only the year
        {"timezone": "Asia/Tokyo"},
    ],
)
def test_another_expression_or_zone_changes_the_row_and_starts_its_time_anew(
    keys: dict[str, str],
) -> None:
    sync(scheduled())
    PeriodicTask.objects.update(last_run_at="2020-01-01T00:00Z", total_run_count=7)
    assert sync(scheduled(**keys)) == Reconciled(changed=["motia:Work:0"])
    assert sync(scheduled(**keys)) == Reconciled(unchanged=["motia:Work:0"])
    assert (the_row().last_run_at, the_row().total_run_count) == (None, 7)


def test_an_operators_pause_and_all_else_that_is_theirs_survives() -> None:
    sync(scheduled())
    row = the_row()
    row.enabled, row.one_off, row.queue, row.priority = False, True, "slow", 3
    row.expire_seconds, row.headers = 60, '{"a": 1}'
    row.description += "\nPaused by me until Monday."
    row.save()
    assert sync(scheduled()) == Reconciled(unchanged=["motia:Work:0"], paused=["motia:Work:0"])
    done = sync(scheduled("5 5 * * *"))
    assert done == Reconciled(changed=["motia:Work:0"], paused=["motia:Work:0"])
    row = the_row()
    assert (row.enabled, row.one_off, row.queue, row.priority) == (False, True, "slow", 3)
    assert (row.expire_seconds, row.headers) == (60, '{"a": 1}')
    first, note = row.description.split("\n")
    assert first.startswith("5 5 * * * in UTC:")
    assert note == "Paused by me until Monday."


def test_what_the_step_says_cannot_be_edited_in_the_row() -> None:
    sync(scheduled())
    row = the_row()
    row.crontab, row.args = None, "[]"
    row.interval = IntervalSchedule.objects.create(every=5, period="seconds")
    row.save()
    assert sync(scheduled()) == Reconciled(changed=["motia:Work:0"])
    row = the_row()
    assert (row.interval, row.args) == (None, '["Work", 0]')
    assert str(row.crontab).startswith("0 9 * * *")


def test_a_crontab_edited_under_its_row_is_left_to_its_editor() -> None:
    sync(scheduled())
    CrontabSchedule.objects.update(minute="7")
    assert sync(scheduled()) == Reconciled(changed=["motia:Work:0"])
    assert {each.minute for each in CrontabSchedule.objects.all()} == {"7", "0"}


def test_rows_share_a_crontab_and_take_one_of_the_operators() -> None:
    CrontabSchedule.objects.create(minute="0", hour="9", timezone="UTC")
    CrontabSchedule.objects.create(minute="0", hour="9", timezone="UTC")
    sync(scheduled(), scheduled(name="More"))
    assert sync(scheduled(), scheduled(name="More")).unchanged == ["motia:Work:0", "motia:More:0"]
    assert CrontabSchedule.objects.count() == 2


def test_the_row_of_a_schedule_that_is_gone_is_removed_even_if_paused() -> None:
    sync(scheduled(), scheduled(name="More"))
    PeriodicTask.objects.update(enabled=False)
    done = sync(scheduled(name="More"))
    assert done.removed == ["motia:Work:0"]
    assert list(PeriodicTask.objects.values_list("name", flat=True)) == ["motia:More:0"]
    assert sync().removed == ["motia:More:0"]


def test_rows_of_other_tasks_are_not_touched() -> None:
    crontab = CrontabSchedule.objects.create()
    for name, task in [
        ("mine", "shop.report"),
        ("motia:mine", "shop.report"),
        ("my tick", TICK),
        ("MOTIA:Work:0", TICK),
    ]:
        PeriodicTask.objects.create(name=name, task=task, crontab=crontab)
    before = list(PeriodicTask.objects.order_by("name").values())
    assert sync() == Reconciled()
    assert list(PeriodicTask.objects.order_by("name").values()) == before


def test_a_name_that_is_taken_is_left_to_its_owner() -> None:
    crontab = CrontabSchedule.objects.create()
    PeriodicTask.objects.create(name="motia:Work:0", task="shop.report", crontab=crontab)
    assert sync(scheduled()) == Reconciled(taken=["motia:Work:0"])
    assert the_row().task == "shop.report"


def test_the_longest_name_there_can_be_has_a_row() -> None:
    step = scheduled(name="ü" * 200)
    [name] = sync(step).added
    assert len(name) == LONGEST_NAME
    assert sync(step).unchanged == [name]
