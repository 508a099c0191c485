"""The migrations: there and back with what is in the tables, and without holding anybody up."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.migrations import AddIndex
from django.db.migrations.executor import MigrationExecutor
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from motia_django.models import AddIndexOnline, Run, RunKey
from motia_django.runs import new_run_id

pytestmark = pytest.mark.django_db(transaction=True)
on_postgresql = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="of PostgreSQL's own ways"
)
on_mariadb = pytest.mark.skipif(connection.vendor != "mysql", reason="of MariaDB's own ways")

BEFORE, ERROR_INDEX = "0003_streams_expiry", "motia_run_error"
OTHERS: dict[str, dict[str, Any]] = {
    "StateItem": {"group": "ü", "key": "k ", "value": {"a": ["\x00", 2**70]}, "version": 2**40},
    "StreamItem": {"stream": "orders", "group": "g", "item": "É", "value": {"id": "É"}},
    "StreamEvent": {"stream": "orders", "group": "g", "kind": "event", "data": {"type": "x"}},
    "Pause": {"step": "Work", "by": "ann", "reason": "ü"},
    "Worker": {"name": "celery@here"},
    "Turn": {"run_id": UUID(int=7), "lane": "a", "holds": "a"},
}
"""A row of each other table, as it was."""
TODAY: dict[str, list[dict[str, Any]]] = {
    "Run": [{"id": UUID(int=1), "source": "é" * 720, "fingerprint": "a" * 16, "parent_span": "b"}],
    "RunKey": [{"run_id": UUID(int=1), "name": "customer", "value": "é" * 128}],
    "Turn": [{"run_id": UUID(int=1), "lane": "a", "holds": "a", "pool": "p", "slot": "p:1"}],
    "Worker": [{"name": "celery@here", "queues": ["celery"]}],
    "StateItem": [
        {"group": "g", "key": key, "value": key, "version": time.time_ns() // 1000}
        for key in ("a", "A", "ä", "a ", "é" * 255)
    ],
    "StreamItem": [{"stream": "s", "group": "g", "item": "i", "value": 1, "event": 2**40}],
    "StreamEvent": [{"id": 2**40, "stream": "s", "group": "g", "kind": "event", "data": {}}],
    "Pause": [{"step": "Work", "by": "ann"}],
    "Override": [{"step": "Work", "index": 0, "declared": "0 * * * *", "expression": "@daily"}],
    "Batch": [{"deed": "redrive", "selection": {}, "by": "ann", "cursor": UUID(int=1)}],
    "Start": [{"form": UUID(int=2), "by": "1", "place": "/admin/", "began": [str(UUID(int=1))]}],
    "Answer": [{"key": "k", "step": "Work", "request": "r", "holder": UUID(int=3), "body": b"x"}],
    "Refusal": [{"step": "Work", "status": 401, "requests": 2**40}],
    "Unheard": [{"step": "", "topic": "é" * 255, "messages": 2**40}],
}
"""Rows of every table that earlier migrations had no place for, or a narrower one."""
AT_ONCE = re.compile(
    r'ALTER TABLE "\w+" ADD COLUMN "\w+" [\w() ]+ NULL'
    r"|(CREATE|DROP) INDEX CONCURRENTLY .+"
    r'|ALTER TABLE "\w+" DROP CONSTRAINT "\w+"',
)
"""What PostgreSQL does to a table, whatever its size, while others read and write it."""


@pytest.fixture(autouse=True)
def _whole_again() -> Iterator[None]:
    """Leave all tables to the next test as they are today."""
    yield
    call_command("migrate", verbosity=0)


def migrated(to: str) -> Any:
    """Go to a migration of ours, by its name; return the tables as they are there."""
    call_command("migrate", "motia", to, verbosity=0)
    executor = MigrationExecutor(connection)
    return executor.loader.project_state([("motia", to)]).apps


def names() -> list[str]:
    """Return the names of our migrations, in their order."""
    graph = MigrationExecutor(connection).loader.graph
    [last] = graph.leaf_nodes("motia")
    return [name for app, name in graph.forwards_plan(last) if app == "motia"]


def insert(model: Any, **values: Any) -> Any:
    usual = {"step": "Work", "trigger": "queue", "trace_id": "a" * 32, "status": "succeeded"}
    return model.objects.create(id=new_run_id(), **{**usual, **values})


def indexes() -> dict[str, Any]:
    with connection.cursor() as cursor:
        return dict(connection.introspection.get_constraints(cursor, "motia_run"))


def test_each_migration_goes_there_and_back_with_what_is_in_the_tables() -> None:
    old = migrated(BEFORE)
    run = insert(old.get_model("motia", "Run"), source="work", error="OSError: é", status="dead")
    for model, values in OTHERS.items():
        old.get_model("motia", model).objects.create(**values)
    steps = names()[names().index(BEFORE) :]
    for there in (*steps[1:], *reversed(steps), *steps[1:]):
        tables = migrated(there)
        kept = tables.get_model("motia", "Run").objects.get(id=run.id)
        assert (kept.step, kept.error, kept.status) == ("Work", "OSError: é", "dead")
        for model, values in OTHERS.items():
            assert tables.get_model("motia", model).objects.filter(**values).exists(), model
    assert Run.objects.get(id=run.id).fingerprint is None
    assert ERROR_INDEX in indexes()


def test_what_is_of_today_survives_the_way_back_as_far_as_there_is_a_place_for_it() -> None:
    run = insert(Run, fingerprint="a" * 16, finished_at=timezone.now())
    assert ERROR_INDEX in indexes()
    assert migrated(BEFORE).get_model("motia", "Run").objects.get().id == run.id
    assert ERROR_INDEX not in indexes()
    migrated(names()[-1])
    assert Run.objects.get().fingerprint is None


def test_with_rows_of_today_in_every_table_each_migration_can_be_undone_and_done_again() -> None:
    write_rows_of_today()
    kept = {(each["key"], each["version"]) for each in TODAY["StateItem"]}
    for there in (*reversed(names()), *names()):
        tables = migrated(there)
        assert tables.get_model("motia", "Run").objects.get().source == "é" * 720
        items = tables.get_model("motia", "StateItem").objects
        assert set(items.values_list("key", "version")) == kept


def test_with_rows_of_today_in_every_table_all_can_be_undone_and_done_again() -> None:
    write_rows_of_today()
    call_command("migrate", "motia", "zero", verbosity=0)
    assert our_tables() == set()
    call_command("migrate", verbosity=0)
    assert our_tables() == {each._meta.db_table for each in models_with_tables()}
    write_rows_of_today()


def test_on_the_way_back_a_run_keeps_the_newest_of_its_keys_of_one_name() -> None:
    run, other = insert(Run), insert(Run)
    for id, name, value in [
        (run.id, "a", "1"),
        (run.id, "b", "1"),
        (run.id, "a", "2"),
        (other.id, "a", "1"),
    ]:
        RunKey.objects.create(run_id=id, name=name, value=value)
    migrated("0013_fewer_permissions")
    migrated(names()[-1])
    kept = RunKey.objects.order_by("id").values_list("run_id", "name", "value")
    assert list(kept) == [(run.id, "b", "1"), (run.id, "a", "2"), (other.id, "a", "1")]


def test_on_the_way_back_only_what_is_unfinished_keeps_its_dedupe_key() -> None:
    hour = timezone.now() + timedelta(hours=1)
    for key, status, until in [
        ("done", "succeeded", hour),
        ("waits", "scheduled", hour),
        ("tick", "succeeded", None),
    ]:
        insert(Run, unique_key=key, status=status, unique_until=until)
    migrated("0019_refusals")
    migrated(names()[-1])
    kept = Run.objects.exclude(unique_key=None).values_list("unique_key", flat=True)
    assert set(kept) == {"waits", "tick"}


@on_postgresql
def test_on_the_way_no_index_of_the_runs_is_built_in_a_transaction() -> None:
    migrated(BEFORE)
    with CaptureQueriesContext(connection) as asked:
        call_command("migrate", verbosity=0)
    statements = [each["sql"] for each in asked if 'ON "motia_run" (' in each["sql"]]
    [sql] = [each for each in statements if "INDEX" in each]
    assert sql.startswith(f'CREATE INDEX CONCURRENTLY "{ERROR_INDEX}"')
    assert "IS NOT NULL" in sql


@on_postgresql
def test_no_migration_writes_a_table_anew_or_holds_those_up_who_write_it() -> None:
    migrated(BEFORE)
    for name in names()[names().index(BEFORE) + 1 :]:
        files = table_files()
        with CaptureQueriesContext(connection) as asked:
            migrated(name)
        assert table_files().items() >= files.items(), f"{name} writes a table anew"
        changes = [each["sql"].rstrip(";") for each in asked if is_about(each["sql"], files)]
        assert [each for each in changes if not AT_ONCE.fullmatch(each)] == [], name


@on_mariadb
def test_no_migration_copies_a_table() -> None:
    migrated(BEFORE)
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION alter_algorithm = 'NOCOPY'")
    try:
        migrated(names()[-1])
    finally:
        connection.close()


@on_postgresql
def test_an_index_that_was_left_half_built_is_built_anew() -> None:
    migrated(names()[names().index("0009_error_index") - 1])
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE INDEX {ERROR_INDEX} ON motia_run (step)")
    migrated("0009_error_index")
    assert indexes()[ERROR_INDEX]["columns"] == ["fingerprint", "status", "finished_at"]


def test_an_index_of_the_runs_is_added_in_a_migration_of_its_own() -> None:
    """`atomic = False` is for all that a migration does: what is half done stays so."""
    there = MigrationExecutor(connection).loader.disk_migrations
    later = [there["motia", name] for name in names()[names().index(BEFORE) + 1 :]]
    adding = [each for each in later if any(map(is_of_the_runs, each.operations))]
    assert adding
    for migration in adding:
        [operation] = migration.operations
        assert isinstance(operation, AddIndexOnline)
        assert not migration.atomic


def write_rows_of_today() -> None:
    now = timezone.now()
    usual: dict[str, dict[str, Any]] = {
        "Run": {"step": "Work", "trigger": "queue", "trace_id": "a" * 32, "status": "queued"},
        "Answer": {"locked_until": now, "expires_at": now},
        "Refusal": {"hour": now},
        "Unheard": {"hour": now},
    }
    for model in models_with_tables():
        assert model.__name__ in TODAY, f"TODAY, above, has no row of the table {model.__name__}"
        for values in TODAY[model.__name__]:
            model.objects.create(**usual.get(model.__name__, {}), **values)


def models_with_tables() -> list[Any]:
    return [each for each in apps.get_app_config("motia").get_models() if each._meta.managed]


def our_tables() -> set[str]:
    found = connection.introspection.table_names()
    return {name for name in found if name.startswith("motia_")}


def is_of_the_runs(operation: Any) -> bool:
    """Return whether it adds an index of the table of runs, or of their keys."""
    return isinstance(operation, AddIndex) and operation.model_name in ("run", "runkey")


def table_files() -> dict[str, int]:
    """Return the file that each of our tables is in: another one once it was written anew."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, pg_relation_filenode(oid) FROM pg_class"
            " WHERE relname LIKE 'motia%' AND relkind = 'r'"
        )
        return dict(cursor.fetchall())


def is_about(sql: str, tables: Iterable[str]) -> bool:
    """Return whether a statement changes one of these tables, or the indexes of one."""
    is_change = sql.startswith(("ALTER", "CREATE INDEX", "CREATE UNIQUE", "DROP"))
    return is_change and any(f'"{table}"' in sql for table in tables)
