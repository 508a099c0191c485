"""Columns that are made wider: a migration that does so can be undone, whatever is in them."""

from __future__ import annotations

from typing import Any

from django.db.migrations import AlterField


class WidenField(AlterField):
    """`AlterField` for a column that takes all it took before, and more.

    Backwards it leaves the column as it is: what has come meanwhile may not fit into the narrower
    one, and older code can do with the wider.
    """

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Change nothing."""
