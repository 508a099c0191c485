"""Streams: their items as they are now, to look at, and to delete as whoever follows expects."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from motia_django import dispatch, models
from motia_django.admin import words
from motia_django.admin.filters import StreamFilter, StreamGroupFilter
from motia_django.admin.paging import BoundedPaginator
from motia_django.admin.state import StateList, preview_of
from motia_django.live import items
from motia_django.stores.base import MISSING


class StreamItemAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Items of streams. They are written by code; a deletion is told to whoever follows."""

    list_display = ("stream", "group", "item", "preview", "updated")
    list_display_links = ("item",)
    list_filter = (StreamFilter, StreamGroupFilter)
    list_per_page = 50
    fields = ("stream", "group", "item", "content", "updated")
    readonly_fields = fields
    ordering = ("stream", "group", "item")
    sortable_by: ClassVar[tuple[str, ...]] = ()
    search_fields = ("item",)
    search_help_text = gettext_lazy("How an item's id begins.")
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = BoundedPaginator
    change_list_template = "admin/motia/stateitem/change_list.html"

    class Media:
        css = {"all": ("motia_django/admin.css",)}

    @admin.display(description=gettext_lazy("value"))
    def preview(self, row: Any) -> str:
        """Return the beginning of the value."""
        return preview_of(row)

    @admin.display(description=gettext_lazy("changed"))
    def updated(self, row: models.StreamItem) -> SafeString | str:
        """Return when the item was last written."""
        return words.moment_stacked(row.updated_at)

    @admin.display(description=gettext_lazy("value"))
    def content(self, row: models.StreamItem) -> SafeString:
        """Return the value."""
        return format_html('<pre class="motia-json">{}</pre>', words.document(row.value))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find the items whose id begins like this."""
        return queryset.filter(item__startswith=search_term) if search_term else queryset, False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return StateList

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"title": _("Streams"), "elsewhere": "", "bound": BoundedPaginator.limit}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def delete_model(self, request: HttpRequest, obj: models.StreamItem) -> None:
        _delete(obj.stream, obj.group, obj.item)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Delete all of them, each as its own event, or none."""
        with transaction.atomic(using=items.database()):
            for place in list(queryset.values_list("stream", "group", "item")):
                _delete(*place)


def _delete(stream: str, group: str, item: str) -> None:
    """Delete an item of a stream, even of one whose file is gone."""
    items.write(stream, group, item, lambda old: MISSING, dispatch.stream_changed)
