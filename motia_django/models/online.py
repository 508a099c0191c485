"""Indexes of tables that others write meanwhile: a migration that adds one holds nobody up."""

from __future__ import annotations

from typing import Any

from django.db.migrations import AddIndex


class AddIndexOnline(AddIndex):
    """`AddIndex` that on PostgreSQL builds the index concurrently; elsewhere it is the same.

    Its migration needs `atomic = False` and nothing else in it. If it is broken off, do it again:
    what PostgreSQL leaves behind then is an invalid index of the same name, which goes first.
    (`django.contrib.postgres` has such an operation for PostgreSQL alone.)
    """

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Build the index."""
        model = to_state.apps.get_model(app_label, self.model_name)
        if _is_locking(schema_editor, model):
            return super().database_forwards(app_label, schema_editor, from_state, to_state)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            schema_editor.remove_index(model, self.index, concurrently=True)
            schema_editor.add_index(model, self.index, concurrently=True)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Drop the index."""
        model = from_state.apps.get_model(app_label, self.model_name)
        if _is_locking(schema_editor, model):
            return super().database_backwards(app_label, schema_editor, from_state, to_state)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            schema_editor.remove_index(model, self.index, concurrently=True)


def _is_locking(schema_editor: Any, model: Any) -> bool:
    """Return whether the plain way is the only one here: in a transaction there is no other.

    Nor is there for a partitioned table, as `docs/partitioning.sql` makes one of the runs.
    """
    database = schema_editor.connection
    if database.vendor != "postgresql" or database.in_atomic_block:
        return True
    with database.cursor() as cursor:
        table = [model._meta.db_table]
        cursor.execute("SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass(%s)", table)
        found = cursor.fetchone()
    return bool(found and found[0])
