"""Pages of a long list, without counting all of it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.core.paginator import Paginator
from django.http import HttpRequest

from motia_django.admin.bases import ChangeList


class PagedList(ChangeList):
    """A list in pages: whoever asks for one that is not there sees the nearest, filters and all.

    Django would show the whole list instead, unfiltered: after a deed that emptied the last page,
    for one.
    """

    def get_results(self, request: HttpRequest) -> None:
        try:
            super().get_results(request)
        except IncorrectLookupParameters:
            pages = self.model_admin.get_paginator(request, self.queryset, self.list_per_page)
            self.page_num = 1 if self.page_num < 1 else pages.num_pages
            super().get_results(request)


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
