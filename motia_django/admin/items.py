"""What the pages of items share, of state and of streams: the list, its columns, its search."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Left, Length
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from motia_django import payloads
from motia_django.admin import words
from motia_django.admin.bases import STYLES
from motia_django.admin.pages import FramedAdmin
from motia_django.admin.paging import BoundedPaginator, PagedList

PREVIEWED = 4000
"""Characters of JSON up to which the list reads a value."""


class ItemList(PagedList):
    """The list of items, which reads a long value no further than it shows it."""

    def get_queryset(self, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        begins = Left("value", PREVIEWED, output_field=TextField())
        rows = super().get_queryset(*args, **kwargs).defer("value")
        shown: QuerySet[Any] = rows.annotate(begins=begins, size=Length("value"))
        return shown


class ItemAdmin(FramedAdmin):
    """Items with `value`, `updated_at` and `expires_at`, found by how their search field begins."""

    list_per_page = 50
    sortable_by: ClassVar[tuple[str, ...]] = ()
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = BoundedPaginator
    change_list_template = "admin/motia/stateitem/change_list.html"

    class Media:
        css = {"all": STYLES}

    @admin.display(description=gettext_lazy("group"))
    def group_name(self, row: Any) -> str:
        """Return the group as one reads it."""
        return words.spelled(row.group)

    @admin.display(description=gettext_lazy("value"))
    def preview(self, row: Any) -> str:
        """Return the beginning of the value."""
        if row.size > PREVIEWED:
            text = ngettext("%(size)d character of JSON", "%(size)d characters of JSON", row.size)
            return text % {"size": row.size}
        return words.one_line(words.masked_as(self._name(row), payloads.loads(row.begins)))

    @admin.display(description=gettext_lazy("changed"))
    def updated(self, row: Any) -> SafeString | str:
        """Return when the item was last written."""
        return words.moment_stacked(row.updated_at)

    @admin.display(description=gettext_lazy("expires"))
    def expires(self, row: Any) -> SafeString | str:
        """Return from when on the item is not there any more."""
        if row.expires_at is None:
            return words.NOTHING
        shape = '<span class="motia-heading">{}</span> {}'  # where the column's title is not seen
        return format_html(shape, _("expires"), words.moment_stacked(row.expires_at))

    @admin.display(description=gettext_lazy("value"))
    def content(self, row: Any) -> SafeString:
        """Return the value for those who may only look."""
        return format_html(
            '<pre class="motia-json">{}</pre>',
            words.document(words.masked_as(self._name(row), row.value)),
        )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the items that have not expired."""
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find the items whose name begins like this."""
        [name] = self.search_fields
        begins = {f"{name}__startswith": search_term}
        return queryset.filter(**begins) if search_term else queryset, False

    def _name(self, row: Any) -> object:
        """Return what the item is called within its group."""
        [name] = self.search_fields
        return getattr(row, name)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ItemList]:
        return ItemList
