"""What PostgreSQL plans once for a connection: statements of runs and of items of state alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import NotSupportedError, connection, transaction
from django.utils import timezone

from motia_django import ledger, models, state
from motia_django.delivery import ONCE
from motia_django.ledger.rows import LONGEST_SOURCE
from motia_django.runs import Outcome, Status
from tests.factories import kept_run, row

on_postgresql = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="others plan in their own ways"
)
pytestmark = pytest.mark.django_db(transaction=True)


def run_one(number: int) -> None:
    """Let a run be born, taken and finished, items written twice, and the newest runs listed."""
    kept = kept_run(input={"number": number, "text": "§ 1: 'ä' \\ %s"})
    run = ledger.claim(kept.id, worker="here", lease=timedelta(minutes=1), step=kept.step)
    assert run is not None
    assert run.input == kept.input
    now = timezone.now()
    done = Outcome(status=Status.SUCCEEDED, value=number, started_at=now, finished_at=now)
    assert ledger.finish(run, done, ONCE)
    assert row(run).output == number
    for value in (number, None, {"n": number}):
        state.set("numbers", str(number), value)
        assert state.get("numbers", str(number)) == value
    assert len(models.Run.objects.order_by("-id")[: number + 1]) == number + 1


def prepared() -> list[str]:
    """Return the first words of what this connection has prepared."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements ORDER BY statement")
        return [" ".join(statement.split()[:3]) for (statement,) in cursor.fetchall()]


@on_postgresql
def test_the_statements_of_runs_and_items_are_prepared_and_nothing_else(settings: Any) -> None:
    settings.MOTIA = {"PREPARE": True}
    connection.close()
    for number in range(10):
        run_one(number)
    assert prepared() == [
        "INSERT INTO motia_run",
        "INSERT INTO motia_state",
        'SELECT "value" FROM',
        "SELECT id, value,",
        'UPDATE "motia_state" SET',
        "UPDATE motia_run SET",
        "UPDATE motia_run SET",
    ]


def test_nothing_is_prepared_unless_it_is_asked_for(settings: Any) -> None:
    settings.MOTIA = {"PREPARE": False}
    connection.close()
    for number in range(10):
        run_one(number)
    assert connection.vendor != "postgresql" or prepared() == []


@on_postgresql
@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE motia_run ALTER source TYPE varchar(800)",
        "ALTER TABLE motia_state ALTER value TYPE varchar",
        "DISCARD ALL",
    ],
)
def test_what_is_prepared_outlives_a_migration(settings: Any, statement: str) -> None:
    settings.MOTIA = {"PREPARE": True}
    connection.close()
    run_one(0)
    with connection.cursor() as cursor:
        cursor.execute(statement)
    try:
        run_one(1)
        run_one(2)
        assert len(prepared()) == len({*prepared()}) + 1
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE motia_run ALTER source TYPE varchar({LONGEST_SOURCE})")
            cursor.execute("ALTER TABLE motia_state ALTER value TYPE text")


@on_postgresql
def test_a_transaction_that_a_migration_has_failed_can_begin_anew(settings: Any) -> None:
    settings.MOTIA = {"PREPARE": True}
    connection.close()
    state.set("numbers", "one", 1)
    assert state.get("numbers", "one") == 1
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE motia_state ALTER value TYPE varchar")
    try:
        with pytest.raises(NotSupportedError, match="cached plan"), transaction.atomic():
            state.get("numbers", "one")
        with transaction.atomic():
            assert state.get("numbers", "one") == 1
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE motia_state ALTER value TYPE text")
