"""The two statements that each run takes, composed once: Django would compose them for every run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import connections

from motia_django import models
from motia_django.ledger.rows import database, run_of
from motia_django.runs import Run, Status

_FIELDS = {field.name: field for field in models.Run._meta.concrete_fields}
_READ = [each for each in _FIELDS if each not in ("output", "error", "fingerprint", "finished_at")]
"""All columns but those that say what earlier attempts came to."""
_HELD = ("id", "fence", "status")


def take(run_id: UUID, step: str, worker: str, now: datetime, lease: timedelta) -> Run | None:
    """Take a queued run of that Step that waits for no turn, unless the Step is paused.

    It is read by the statement that takes it. Only where `takes_at_once`.
    """
    sql = _taking(connections[database()].vendor)
    set_to = _written({"wake_at": now + lease, "started_at": now, "worker": worker[:255]})
    asked = _written({"status": Status.QUEUED, "id": run_id, "step": step})
    with connections[database()].cursor() as cursor:
        cursor.execute(sql, [Status.RUNNING.value, *set_to, *asked, step])
        rows = cursor.fetchall()
    return _read(rows[0]) if rows else None


def takes_at_once() -> bool:
    """Return whether the database gives back the row that an UPDATE has changed."""
    connection = connections[database()]
    # MariaDB gives back rows that are inserted or deleted only.
    return bool(connection.features.can_return_columns_from_insert and connection.vendor != "mysql")


def write(run: Run, changes: Mapping[str, Any], *, may_be_undone: bool) -> bool:
    """Write into the row of a run if its attempt still holds the lease; return whether it did.

    What `may_be_undone` by a crash of the database's server is not waited for.
    """
    connection = connections[database()]
    lazily = may_be_undone and not connection.in_atomic_block
    sql = _writing(connection.vendor, tuple(changes), lazily)
    held = {"id": run.id, "fence": run.fence, "status": Status.RUNNING}
    with connection.cursor() as cursor:
        cursor.execute(sql, [*_written(changes), *_written(held)])
        return bool(cursor.rowcount)


def _read(values: Sequence[Any]) -> Run:
    """Return the run of a row as the database gave it back."""
    connection = connections[database()]
    read = [*values]
    for at, column, converters in _converted(connection.vendor):
        for convert in converters:
            read[at] = convert(read[at], column, connection)
    return run_of(models.Run.from_db(connection.alias, _READ, read))


def _written(values: Mapping[str, Any]) -> list[Any]:
    """Return values as the database takes them for their columns."""
    connection = connections[database()]
    return [_FIELDS[name].get_db_prep_save(value, connection) for name, value in values.items()]


@lru_cache(maxsize=8)
def _converted(vendor: str) -> list[tuple[int, Any, list[Any]]]:
    """Return the columns that come otherwise than Python has them, each with what converts it."""
    connection = connections[database()]
    columns = [_FIELDS[name].get_col(_TABLE) for name in _READ]
    converters = [
        [*connection.ops.get_db_converters(each), *each.get_db_converters(connection)]
        for each in columns
    ]
    whole = zip(range(len(columns)), columns, converters, strict=True)
    return [each for each in whole if each[2]]


@lru_cache(maxsize=8)
def _taking(vendor: str) -> str:
    changes = "status = %s, attempt = attempt + 1, fence = fence + 1, "
    changes += "wake_at = %s, started_at = %s, worker = %s"
    queued = "status = %s AND id = %s AND step = %s AND NOT limited"
    going = "NOT EXISTS (SELECT 1 FROM motia_pause WHERE motia_pause.step = %s)"
    read = _columns(vendor, _READ)
    where = f"{queued} AND {going}{_UNWAITED.get(vendor, '')}"
    return f"UPDATE {_TABLE} SET {changes} WHERE {where} RETURNING {', '.join(read)}"


@lru_cache(maxsize=64)
def _writing(vendor: str, names: Sequence[str], lazily: bool) -> str:
    changes = ", ".join(f"{column} = %s" for column in _columns(vendor, names))
    held = " AND ".join(f"{name} = %s" for name in _HELD)
    unwaited = _UNWAITED.get(vendor, "") if lazily else ""
    return f"UPDATE {_TABLE} SET {changes} WHERE {held}{unwaited}"


def _columns(vendor: str, names: Sequence[str]) -> list[str]:
    """Return the columns' names in quotes, since `index` and `trigger` are words of SQL."""
    quote = "`" if vendor == "mysql" else '"'
    return [f"{quote}{_FIELDS[name].column}{quote}" for name in names]


_TABLE = models.Run._meta.db_table
_UNWAITED = {
    "postgresql": " AND (SELECT set_config('synchronous_commit', 'off', true)) IS NOT NULL"
}
"""What has a statement of its own transaction return before its commit has reached the disk.

It is set for that transaction only, and by the statement itself, so that it costs no second one.
"""
