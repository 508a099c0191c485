"""Emptying the database after a test that commits."""

from __future__ import annotations

from typing import Any

from django.core.management.color import no_style
from django.db import connections

KEPT = frozenset({"django_content_type", "auth_permission"})
"""Tables that `migrate` fills. To fill them anew takes longer than most tests."""


def empty(case: Any) -> None:
    """Delete all rows of a test case's databases but what `migrate` has put there."""
    for alias in case._databases_names(include_mirrors=False):
        connection = connections[alias]
        names = connection.introspection.django_table_names(only_existing=True, include_views=False)
        tables = [name for name in names if name not in KEPT]
        connection.ops.execute_sql_flush(
            connection.ops.sql_flush(no_style(), tables, reset_sequences=False, allow_cascade=False)
        )
