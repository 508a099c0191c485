"""Streams: their items as they are now, to look at, and to delete as whoever follows expects."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from motia_django import dispatch, models
from motia_django.admin.filters import GroupFilter, StreamFilter
from motia_django.admin.items import ItemAdmin
from motia_django.admin.paging import BoundedPaginator
from motia_django.live import items
from motia_django.stores.base import MISSING


class StreamItemAdmin(ItemAdmin):
    """Items of streams. They are written by code; a deletion is told to whoever follows."""

    list_display = ("stream", "group", "item", "preview", "updated")
    list_display_links = ("item",)
    list_filter = (StreamFilter, GroupFilter)
    fields = ("stream", "group", "item", "content", "updated")
    readonly_fields = fields
    ordering = ("stream", "group", "item")
    search_fields = ("item",)
    search_help_text = gettext_lazy("How an item's id begins.")

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
