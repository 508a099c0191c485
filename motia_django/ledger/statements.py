"""The statements of each run, composed once: Django would compose them for every run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from itertools import chain
from typing import Any
from uuid import UUID

import orjson
from django.db import connections
from django.db.models import DateTimeField, UUIDField
from django.utils import timezone

from motia_django import models, prepared
from motia_django.ledger.rows import LARGE, database, dedupe_key_of
from motia_django.models.fields import JSONTextField
from motia_django.portions import portions
from motia_django.runs import Run, Status

_FIELDS = {field.name: field for field in models.Run._meta.concrete_fields}
_ADAPTED = {
    name: field
    for name, field in _FIELDS.items()
    if isinstance(field, UUIDField | DateTimeField | JSONTextField)
}
"""The columns whose values Django adapts to the database; the others it takes as they are."""
_NOT_TRIED = {"fence": "0", "error": "''", "worker": "''"}
"""What a run has that was never tried, in SQL; it has no more columns that may not be null."""
_AT_ONCE = 500
_READ = (
    "trigger",
    "index",
    "source",
    "input",
    "trace_id",
    "parent_id",
    "parent_span",
    "depth",
    "attempt",
    "fence",
    "created_at",
    "message_group",
    "tried_since",
    "unique_key",
    "unique_until",
    "timeline",
)
"""What is not known of a run that is taken, besides what its earlier attempts failed by."""


def take(
    run_id: UUID, step: str, *, worker: str, lease: timedelta, may_be_undone: bool
) -> Run | None:
    """Take a queued run of that Step that waits for no turn, unless the Step is paused.

    It is read by the statement that takes it, so that whoever is frozen in between thaws with the
    fence that was his. Only where the database `takes_at_once`.
    """
    now = timezone.now()
    known: dict[str, Any] = {"wake_at": now + lease, "started_at": now}
    connection = connections[database()]
    sql = _taking(connection.vendor, may_be_undone and not connection.in_atomic_block)
    given = {**known, "worker": worker[:255], "id": run_id, "step": step}
    with prepared.cursor(connection) as cursor:
        cursor.execute(sql, _written(given))
        rows = cursor.fetchall()
    known |= {"id": run_id, "step": step, "status": Status.RUNNING}
    return _run(known, _read(rows[0])) if rows else None


def takes_at_once() -> bool:
    """Return whether the database gives back the row that an UPDATE has changed."""
    connection = connections[database()]
    # MariaDB gives back rows that are inserted or deleted only.
    return bool(connection.features.can_return_columns_from_insert and connection.vendor != "mysql")


def write(run: Run, changes: Mapping[str, Any], *, may_be_undone: bool) -> bool:
    """Write into the row of a run if its attempt still holds the lease; return whether it did.

    What `may_be_undone` by a crash of the database's server, here and in `take`, is not waited for
    until it is on the disk, unless a transaction of others goes on.
    """
    connection = connections[database()]
    lazily = may_be_undone and not connection.in_atomic_block
    given = {name: value for name, value in changes.items() if value is not None}
    emptied = tuple(name for name in changes if name not in given)
    sql = _writing(connection.vendor, tuple(given), emptied, lazily)
    with prepared.cursor(connection) as cursor:
        cursor.execute(sql, _written({**given, "id": run.id, "fence": run.fence}))
        return bool(cursor.rowcount)


def insert(rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert new rows that are given as `values_of` gives them, in their order."""
    insert_values(tuple(rows[0]), [_written(row) for row in rows], **_NOT_TRIED)


def insert_values(names: Sequence[str], rows: Sequence[Sequence[Any]], **alike: str) -> None:
    """Insert many rows that are given as the database takes these columns of theirs, in order.

    The columns that are `alike` in all of them have a value in SQL. psycopg looks for the place of
    each value in Python, which takes longer than all else, and PostgreSQL reads JSON by itself:
    there the rows of a statement are one value, unless it is only one, which goes faster as it is.
    """
    connection = connections[database()]
    places = connection.features.max_query_params or _AT_ONCE * len(names)
    at_once = max(1, min(_AT_ONCE, places // len(names)))
    large = [at for at, name in enumerate(names) if name in LARGE]

    def size(row: Sequence[Any]) -> int:
        return sum([len(row[at] or "") for at in large])

    for some in portions(rows, size, at_once):
        if connection.vendor == "postgresql" and len(some) > 1:
            given = [dict(zip(names, row, strict=True)) for row in some]
            values = [orjson.dumps(given).decode()]
            sql = _inserting_json(names, **alike)
        else:
            values = list(chain.from_iterable(some))
            sql = _inserting(connection.vendor, names, len(some), **alike)
        with prepared.cursor(connection) as cursor:
            cursor.execute(sql, values)


@lru_cache(maxsize=64)
def _inserting(vendor: str, names: Sequence[str], count: int, **alike: str) -> str:
    row = f"({', '.join([*alike.values(), *['%s'] * len(names)])})"
    return f"{_insert_into(vendor, names, alike)} VALUES {', '.join([row] * count)}"


@lru_cache(maxsize=64)
def _inserting_json(names: Sequence[str], **alike: str) -> str:
    columns = _columns("postgresql", names)
    types = (_FIELDS[name].db_type(connections[database()]) for name in names)
    typed = ", ".join(f"{column} {type}" for column, type in zip(columns, types, strict=True))
    values = ", ".join([*alike.values(), *columns])
    insert = _insert_into("postgresql", names, alike)
    return f"{insert} SELECT {values} FROM json_to_recordset(%s) AS given({typed})"


def _insert_into(vendor: str, names: Sequence[str], alike: Iterable[str]) -> str:
    return f"INSERT INTO {_TABLE} ({', '.join(_columns(vendor, [*alike, *names]))})"


def _run(known: Mapping[str, Any], read: dict[str, Any]) -> Run:
    key = dedupe_key_of(read["trigger"], read.pop("unique_key"))
    until = read.pop("unique_until")
    timeline = tuple(read.pop("timeline") or ())
    return Run(**known, **read, timeline=timeline, dedupe_key=key, dedupe_until=until)


def _read(row: Sequence[Any]) -> dict[str, Any]:
    """Return the columns `_READ` of a row as the database gave it back."""
    connection = connections[database()]
    read = dict(zip(_READ, row, strict=True))
    for name, column, converters in _converted(connection.vendor):
        for convert in converters:
            read[name] = convert(read[name], column, connection)
    return read


def _written(values: Mapping[str, Any]) -> list[Any]:
    """Return values as the database takes them for their columns."""
    connection = connections[database()]
    return [
        _ADAPTED[name].get_db_prep_save(value, connection) if name in _ADAPTED else value
        for name, value in values.items()
    ]


@lru_cache(maxsize=8)
def _converted(vendor: str) -> list[tuple[str, Any, list[Any]]]:
    """Return the columns that come otherwise than Python has them, each with what converts it."""
    connection = connections[database()]
    columns = [_FIELDS[name].get_col(_TABLE) for name in _READ]
    converters = [
        [*connection.ops.get_db_converters(each), *each.get_db_converters(connection)]
        for each in columns
    ]
    whole = zip(_READ, columns, converters, strict=True)
    return [each for each in whole if each[2]]


@lru_cache(maxsize=8)
def _taking(vendor: str, lazily: bool) -> str:
    read = ", ".join(_columns(vendor, _READ))
    unwaited = _UNWAITED.get(vendor, "") if lazily else ""
    return f"{_TAKING}{unwaited} RETURNING {read}"


@lru_cache(maxsize=64)
def _writing(vendor: str, given: Sequence[str], emptied: Sequence[str], lazily: bool) -> str:
    changes = [f"{column} = %s" for column in _columns(vendor, given)]
    changes += [f"{column} = NULL" for column in _columns(vendor, emptied)]
    unwaited = _UNWAITED.get(vendor, "") if lazily else ""
    return f"UPDATE {_TABLE} SET {', '.join(changes)} WHERE {_HELD}{unwaited}"


def _columns(vendor: str, names: Sequence[str]) -> list[str]:
    """Return the columns' names in quotes, since `index` and `trigger` are words of SQL."""
    quote = "`" if vendor == "mysql" else '"'
    return [f"{quote}{_FIELDS[name].column}{quote}" for name in names]


_TABLE = models.Run._meta.db_table
_PAUSE = models.Pause._meta.db_table
_HELD = f"id = %s AND fence = %s AND status = '{Status.RUNNING}'"
_TAKING = f"""UPDATE {_TABLE}
SET status = '{Status.RUNNING}', attempt = attempt + 1, fence = fence + 1,
    wake_at = %s, started_at = %s, worker = %s
WHERE id = %s AND step = %s AND status = '{Status.QUEUED}' AND NOT limited
    AND NOT EXISTS (SELECT 1 FROM {_PAUSE} WHERE {_PAUSE}.step = {_TABLE}.step)"""
_UNWAITED = {
    "postgresql": " AND (SELECT set_config('synchronous_commit', 'off', true)) IS NOT NULL"
}
"""What has a statement of its own transaction return before its commit has reached the disk.

It is set for that transaction only, and by the statement itself, so that it costs no second one.
"""
