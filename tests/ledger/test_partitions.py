"""The recipe of docs/partitioning.sql: the ledger keeps its promises in a partitioned table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, connections, transaction
from django.db.utils import load_backend
from django.utils import timezone

from motia_django import ledger, models
from motia_django.delivery import Delivery
from motia_django.runs import Outcome, Run, Status, lowest_id_at, new_run_id
from tests.factories import make_run
from tests.servers import django_settings, fresh_postgresql

RECIPE = Path(__file__).resolve().parents[2] / "docs" / "partitioning.sql"
TOMORROW, DAY_AFTER = timedelta(days=1), timedelta(days=2)


@pytest.fixture(scope="module")
def prepared(postgresql_server: str, django_db_blocker: Any) -> dict[str, Any]:
    """A database with one run of each kind in it, which is partitioned then."""
    settings = django_settings(fresh_postgresql())
    with django_db_blocker.unblock(), connected(settings):
        call_command("migrate", verbosity=0)
        keep(status="succeeded", unique_key="tick", step="Old", wake_at=None)
        keep(status="dead", step="Old", wake_at=None)
        keep(status="queued", unique_key="order-1", step="Old")
        follow_the_recipe()
    return settings


@pytest.fixture(autouse=True)
def copied(prepared: dict[str, Any], django_db_blocker: Any) -> Iterator[None]:
    """A copy of that database, of this test's own."""
    settings = django_settings(fresh_postgresql())
    copy, original = settings["NAME"], prepared["NAME"]
    with django_db_blocker.unblock():
        with connected({**settings, "NAME": "postgres"}), connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {copy}")
            cursor.execute(f"CREATE DATABASE {copy} TEMPLATE {original}")
        with connected(settings):
            yield


@contextmanager
def connected(settings: dict[str, Any]) -> Iterator[None]:
    """Let the default connection be one to this PostgreSQL."""
    before = connections["default"]
    values = {**before.settings_dict, "OPTIONS": {}, **settings}
    own = load_backend("django.db.backends.postgresql").DatabaseWrapper(values, "default")
    connections["default"] = own
    try:
        yield
    finally:
        own.close()
        connections["default"] = before


def keep(**values: Any) -> None:
    """Write a row as it is."""
    usual = {"trigger": "queue", "trace_id": "0" * 32}
    models.Run.objects.create(id=new_run_id(), **{**usual, **values})


def follow_the_recipe() -> None:
    """Do what its first lines say."""
    with connection.cursor() as cursor:
        cursor.execute(RECIPE.read_text("utf-8"))
        cursor.execute(
            "CREATE INDEX CONCURRENTLY motia_run_unique_key ON motia_run (unique_key)"
            " WHERE unique_key IS NOT NULL"
        )
    ask("motia_partition_prepare()")
    ask("motia_partition()")


def ask(call: str, values: Sequence[Any] = ()) -> Any:
    """Call one of its functions."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {call}", values)
        return cursor.fetchone()[0]


def drop(before: datetime) -> int:
    """Drop what is older."""
    return int(ask("motia_partitions_drop(%s)", [before]))


def born(ahead: timedelta, **values: Any) -> Run:
    """Return a run as it would be born some time from now."""
    there = lowest_id_at(timezone.now() + ahead).int >> 80
    run_id = new_run_id()
    return make_run(id=UUID(int=there << 80 | run_id.int & (1 << 80) - 1), **values)


def partition_of(run: Run) -> str:
    """Return the name of the table that it is in."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM motia_run WHERE id = %s", [run.id])
        return str(cursor.fetchone()[0])


def finish(run: Run) -> None:
    """Claim a run, and let it succeed."""
    claimed = ledger.claim(run.id, worker="w", lease=timedelta(minutes=1))
    assert claimed is not None
    assert ledger.claim(run.id, worker="other", lease=timedelta(minutes=1)) is None
    now = timezone.now()
    outcome = Outcome(status=Status.SUCCEEDED, value=1, started_at=now, finished_at=now)
    assert ledger.finish(claimed, outcome, Delivery()) is not None
    assert ledger.finish(claimed, outcome, Delivery()) is None


def keys() -> set[str]:
    """Return the unique keys that are taken."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT unique_key FROM motia_run_unique")
        return {key for (key,) in cursor.fetchall()}


def test_what_was_there_is_there() -> None:
    assert sorted(models.Run.objects.values_list("status", flat=True)) == [
        "dead",
        "queued",
        "succeeded",
    ]
    assert keys() == {"tick", "order-1"}


def test_a_run_is_born_into_its_day_claimed_once_and_finished_once() -> None:
    today, tomorrow = born(timedelta()), born(TOMORROW)
    ledger.keep([today, tomorrow])
    day = (datetime.now(UTC) + TOMORROW).strftime("%Y%m%d")
    assert [partition_of(today), partition_of(tomorrow)] == ["motia_run_before", f"motia_run_{day}"]
    for run in (today, tomorrow):
        finish(run)
        assert models.Run.objects.get(id=run.id).status == "succeeded"


def test_one_that_is_born_past_all_partitions_is_kept_too() -> None:
    late = born(timedelta(days=90))
    ledger.keep([late])
    assert partition_of(late) == "motia_run_rest"


def test_what_is_due_is_taken_from_all_partitions() -> None:
    runs = [born(timedelta()), born(TOMORROW), born(DAY_AFTER)]
    ledger.keep(runs, due=True)
    assert {run.id for run in runs} <= {run.id for run in ledger.take_due(10)}
    assert not ledger.take_due(10)


def test_a_dedupe_key_is_held_over_all_partitions_until_its_run_is_finished() -> None:
    first = born(timedelta(), dedupe_key="d" * 64)
    assert ledger.keep_or_find(first) == first.id
    again = born(TOMORROW, dedupe_key="d" * 64)
    assert ledger.keep_or_find(again) == first.id
    finish(first)
    assert ledger.keep_or_find(again) == again.id


def test_the_key_of_a_transaction_that_is_rolled_back_is_free() -> None:
    with transaction.atomic():
        ledger.keep_or_find(born(timedelta(), dedupe_key="e" * 64))
        transaction.set_rollback(True)
    late = born(TOMORROW, dedupe_key="e" * 64)
    assert ledger.keep_or_find(late) == late.id


def test_a_tick_is_kept_once_over_all_partitions() -> None:
    assert ledger.keep_once(born(timedelta(), trigger="cron"), "noon")
    assert not ledger.keep_once(born(TOMORROW, trigger="cron"), "noon")


def test_the_database_itself_refuses_a_key_twice() -> None:
    """Without anybody's looking first."""
    with pytest.raises(IntegrityError), transaction.atomic():
        keep(status="queued", unique_key="order-1", step="Second")
    assert not models.Run.objects.filter(step="Second").exists()


def test_dropping_leaves_what_is_unfinished_or_dead_and_frees_the_keys_of_what_is_gone() -> None:
    done, dead = born(TOMORROW, dedupe_key="f" * 64), born(TOMORROW)
    ledger.keep([done, dead])
    finish(done)
    models.Run.objects.filter(id=dead.id).update(status="dead")
    assert drop(timezone.now() + timedelta(days=3)) == 3
    left = models.Run.objects.values_list("status", flat=True)
    assert sorted(left) == ["dead", "dead", "queued"]
    assert keys() == {"order-1"}
    assert drop(timezone.now() + timedelta(days=3)) == 0
    finish(make_run(id=models.Run.objects.get(status="queued").id))


def test_what_was_kept_goes_once_it_is_empty() -> None:
    drop(timezone.now() + timedelta(days=3))
    models.Run.objects.all().delete()
    assert drop(timezone.now() + timedelta(days=3)) == 1
    assert keys() == set()


def test_partitions_are_made_ahead_once() -> None:
    assert ask("motia_partitions_ahead(7)") == 0
    assert ask("motia_partitions_ahead(9)") == 2


def test_pruning_row_by_row_still_works() -> None:
    models.Run.objects.filter(status="succeeded").update(finished_at=timezone.now())
    assert ledger.prune(Status.SUCCEEDED, -1, limit=10) == 1
    assert keys() == {"order-1"}


def test_a_claim_looks_into_one_partition() -> None:
    run = born(TOMORROW)
    ledger.keep([run])
    plan = models.Run.objects.filter(id=run.id, fence=0, status="queued").explain()
    assert partition_of(run) in plan
    assert plan.count(" on motia_run_") == 1


def test_later_migrations_build_their_indexes() -> None:
    call_command("migrate", "motia", "0008", verbosity=0)
    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, "motia_run")
    assert "motia_run_error" in found


def test_all_migrations_of_a_partitioned_table_can_be_undone_and_done_again() -> None:
    call_command("migrate", "motia", "zero", verbosity=0)
    left = {each for each in connection.introspection.table_names() if each.startswith("motia_")}
    assert left == {"motia_run_unique"}
    call_command("migrate", verbosity=0)
    keep(status="succeeded")
