"""Streams: their items as they are now, to look at, and to delete as whoever follows expects."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from motia_django import dispatch, models
from motia_django.admin import words
from motia_django.admin.filters import GroupFilter, StreamFilter
from motia_django.admin.items import ItemAdmin
from motia_django.admin.paging import BoundedPaginator
from motia_django.live import items
from motia_django.stores.base import MISSING


class StreamItemAdmin(ItemAdmin):
    """Items of streams. They are written by code; a deletion is told to whoever follows."""

    change_list_template = "admin/motia/streamitem/change_list.html"
    list_display = ("stream", "group_name", "item_name", "preview", "updated", "expires")
    list_display_links = ("item_name",)
    list_filter = (StreamFilter, GroupFilter)
    fields = ("stream", "group_name", "item_name", "content", "updated", "expires")
    readonly_fields = fields
    ordering = ("stream", "group", "item")
    search_fields = ("item",)
    search_help_text = gettext_lazy("How an item's id begins.")

    @admin.display(description=gettext_lazy("item"))
    def item_name(self, row: models.StreamItem) -> str:
        """Return the item's id as one reads it."""
        return words.spelled(row.item)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        views: dict[str, tuple[str, Any]] = {
            "groups": ("groups/", self.groups_view),
            "tail": ("tail/<str:stream>/<str:group>/events/", self.tail_view),
            "events": ("tail/<str:stream>/<str:group>/json/", self.events_view),
        }
        own = [
            path(route, self.guarded(view), name=f"motia_streamitem_{name}")
            for name, (route, view) in views.items()
        ]
        return [*own, *super().get_urls()]

    def groups_view(self, request: HttpRequest) -> HttpResponse:
        """Show each stream with its groups, and what was told of them last."""
        from motia_django.admin import groups, stream_groups

        only = request.GET.get("stream")
        found = stream_groups.streams(only)
        if only is not None and not found:
            raise Http404(_("There is no stream named %s.") % only)
        return self.page(
            request,
            "admin/motia/streamitem/groups.html",
            _("Streams and their groups"),
            streams=found,
            most=groups.MOST_GROUPS,
            most_items=groups.MOST_ITEMS,
        )

    def tail_view(self, request: HttpRequest, stream: str, group: str) -> HttpResponse:
        """Show the newest events of a group; with its script the page goes on by itself."""
        from motia_django.admin import tails

        stream, group = _place(stream, group)
        return self.page(
            request,
            "admin/motia/streamitem/tail.html",
            f"{stream}: {words.spelled(group)}",
            stream=stream,
            group=group,
            lines=tails.newest(stream, group),
            shown=tails.SHOWN,
        )

    def events_view(self, request: HttpRequest, stream: str, group: str) -> HttpResponse:
        """Answer the page's script."""
        from motia_django.admin import tails

        return tails.as_json(request, *_place(stream, group))

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


def _place(stream: str, group: str) -> tuple[str, str]:
    """Return the names in an address, if they can be names."""
    names = unquote(stream), unquote(group)
    if any("\x00" in name for name in names):
        raise Http404
    return names


def _delete(stream: str, group: str, item: str) -> None:
    """Delete an item of a stream, even of one whose file is gone."""
    items.write(stream, group, item, lambda old: MISSING, dispatch.stream_changed)
