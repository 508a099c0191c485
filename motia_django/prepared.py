"""Statements that come with every run: PostgreSQL plans them once for a connection, if told to.

Django can have a connection prepare all that is executed often enough, the project's own queries
among them. Of these some need a plan for their values, such as how many rows are wanted; ours ask
for single rows by their keys, for which one plan is as good as another.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from motia_django.conf import settings


@contextmanager
def cursor(connection: Any) -> Iterator[Any]:
    """Open a cursor of one of Django's connections for one of a run's few statements.

    With `MOTIA["PREPARE"]` PostgreSQL parses and plans what it executes once for the connection.
    Values are bound by the server then, and have to be of the types that it expects. Where Django
    logs its queries, as with DEBUG, they are executed as ever: the log is to have their values.
    """
    if connection.queries_logged or not prepares(connection):
        with connection.cursor() as usual:
            yield usual
        return
    connection.ensure_connection()
    with connection.wrap_database_errors:
        own = _kind_of_cursor()(connection.connection)
    with connection._prepare_cursor(own) as wrapped:  # as Django wraps its own
        yield wrapped


def prepares(connection: Any) -> bool:
    """Return whether our statements are prepared on this connection: by psycopg 3, if told to."""
    is_able = connection.vendor == "postgresql" and hasattr(connection.Database, "ServerCursor")
    return bool(is_able and settings().prepare)


@cache
def _kind_of_cursor() -> Any:
    """Return the cursor that prepares, made where there is psycopg."""
    from django.db.backends.postgresql import base
    from psycopg import errors
    from psycopg.pq import TransactionStatus

    usual: Any = base.ServerBindingCursor
    stale = (errors.FeatureNotSupported, errors.InvalidSqlStatementName)

    class Preparing(usual):  # type: ignore[misc]
        """What it executes is prepared at once, whatever its connection does with all else.

        PostgreSQL does not execute what was prepared before a migration changed a column, or what
        somebody has thrown away: that is prepared anew. Within a transaction, which has failed by
        that, it raises; the rollback has psycopg forget what is prepared.
        """

        def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
            connection = self.connection
            kept, connection.prepare_threshold = connection.prepare_threshold, 0
            try:
                return super().execute(query, params, prepare=True, **options)
            except stale:
                if connection.info.transaction_status != TransactionStatus.IDLE:
                    raise
                super().execute("ROLLBACK", prepare=False)  # has psycopg forget it, here as well
                return super().execute(query, params, prepare=True, **options)
            finally:
                connection.prepare_threshold = kept

    return Preparing
