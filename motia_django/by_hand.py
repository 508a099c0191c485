"""Small statements composed by hand, for upkeep, which mostly finds that nothing is to be done.

Django's ORM takes longer to compose them than a database takes to answer. And as Python counts the
references to all that it composes them of, it writes to those pages: of the memory that the main
process of a Celery worker shares with its children, it would have 2 MB more for itself.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connections
from django.db.models import DateTimeField, Field, Model, UUIDField

_ADAPTED: dict[type, Field[Any, Any]] = {datetime: DateTimeField(), UUID: UUIDField()}
"""What adapts the values that databases have in ways of their own; the others they all take."""


def exists(table: type[Model], alias: str, where: str, *values: Any) -> bool:
    """Return whether a table has a row that meets a condition in SQL; there may be an order."""
    sql = f"SELECT 1 FROM {table._meta.db_table} WHERE {where} LIMIT 1"
    connection = connections[alias]
    with connection.cursor() as cursor:
        cursor.execute(sql, _adapted(connection, values))
        return bool(cursor.fetchall())


def delete(table: type[Model], alias: str, where: str, *values: Any) -> int:
    """Delete the rows of a table that meet a condition in SQL; return how many there were."""
    return execute(alias, f"DELETE FROM {table._meta.db_table} WHERE {where}", *values)


def execute(alias: str, sql: str, *values: Any) -> int:
    """Execute a statement that changes rows; return how many it found to change."""
    connection = connections[alias]
    with connection.cursor() as cursor:
        cursor.execute(sql, _adapted(connection, values))
        return int(cursor.rowcount)


def _adapted(connection: Any, values: tuple[Any, ...]) -> list[Any]:
    return [
        _ADAPTED[type(value)].get_db_prep_value(value, connection)
        if type(value) in _ADAPTED
        else value
        for value in values
    ]
