"""Pages of a long list, without counting all of it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.core.paginator import Paginator


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Pages through the first `limit` rows of a query; the database never counts beyond them."""

    limit = 10_000

    @cached_property
    def count(self) -> int:
        """The number of rows, at most `limit`."""
        return min(self._counted, self.limit)

    @property
    def is_cut(self) -> bool:
        """Whether there are more rows than these pages show."""
        return self._counted > self.limit

    @cached_property
    def _counted(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: self.limit + 1].count())
