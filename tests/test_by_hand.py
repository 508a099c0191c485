"""Statements composed by hand say what the ORM's would, and an idle round needs no others."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from motia_django import by_hand, ledger, models, upkeep
from motia_django.runs import Status, new_run_id
from tests.factories import kept_run

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("microsecond", [0, 1, 999_999])
def test_times_are_compared_as_the_orm_compares_them(microsecond: int) -> None:
    at = timezone.now().replace(microsecond=microsecond)
    kept_run(wake_at=at)
    for beside in (timedelta(microseconds=-1), timedelta(0), timedelta(microseconds=1)):
        found = by_hand.exists(models.Run, "default", "wake_at <= %s", at + beside)
        assert found is models.Run.objects.filter(wake_at__lte=at + beside).exists()
        assert found is (beside >= timedelta(0))


def test_ids_are_compared_as_the_orm_compares_them() -> None:
    first, second, third = (new_run_id() for _ in range(3))
    for each in (first, second, third):
        kept_run(id=each)
    assert not by_hand.exists(models.Run, "default", "id < %s", first)
    assert by_hand.exists(models.Run, "default", "id < %s AND status = %s", second, Status.QUEUED)
    assert by_hand.delete(models.Run, "default", "id < %s", third) == 2
    assert [run.id for run in models.Run.objects.all()] == [third]


def test_what_is_executed_says_how_many_rows_it_found_though_it_changes_nothing() -> None:
    ledger.see("w@here", ["celery"])
    same = "UPDATE motia_worker SET name = name WHERE name = %s"
    assert by_hand.execute("default", same, "w@here") == 1
    assert by_hand.execute("default", same, "w@there") == 0


def test_an_idle_round_costs_a_statement_for_each_of_its_chores(
    django_assert_num_queries: Any,
) -> None:
    kept_run(wake_at=timezone.now() + timedelta(minutes=1))
    chores = (upkeep.upkeep, upkeep.keep_state, upkeep.keep_streams, upkeep.work_off)
    with django_assert_num_queries(4):
        assert [chore() for chore in chores] == [0, 0, 0, False]


def test_a_worker_signs_with_two_statements_once_it_is_known() -> None:
    ledger.see("w@here", ["celery"])
    with CaptureQueriesContext(connection) as queries:
        ledger.see("w@here", None)
    assert len(queries) == 2
    assert ledger.workers().get().queues is None
