"""State: its items by group, to read, edit, add and delete as whoever watches them expects."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db import router, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from motia_django import models
from motia_django.admin import permits, words
from motia_django.admin.filters import GroupFilter
from motia_django.admin.items import ItemAdmin
from motia_django.admin.links import Links
from motia_django.admin.paging import BoundedPaginator
from motia_django.conf import settings
from motia_django.exceptions import VersionConflict
from motia_django.registry import registry
from motia_django.stores import state_store
from motia_django.stores.face import state
from motia_django.stores.orm import OrmState
from motia_django.triggers import StateTrigger, Trigger

_PLACE = ("group_name", "key_name")


class StateItemAdmin(ItemAdmin):
    """Items of state. Every change goes through `state`, so that state triggers hear of it."""

    change_list_template = "admin/motia/stateitem/items.html"
    change_form_template = "admin/motia/stateitem/change_form.html"
    list_display = ("group_name", "key_name", "preview", "updated", "expires")
    list_display_links = ("key_name",)
    list_filter = (GroupFilter,)
    ordering = ("group", "key")
    search_fields = ("key",)
    search_help_text = gettext_lazy("How a key begins.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows if lives_here() else rows.none()

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None:
            return ("group", "key", "content", "reason")
        if not self.has_change_permission(request, obj):
            return (*_PLACE, "content", "updated", "expires")
        return (*_PLACE, "content", "updated", "expires", "reason", "seen_version")

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """Return the form; it is loaded by those processes that show it."""
        from motia_django.admin.state_form import StateItemForm

        return super().get_form(request, obj, change, **{"form": StateItemForm, **kwargs})

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if obj is None else (*_PLACE, "updated", "expires")

    @admin.display(description=gettext_lazy("key"))
    def key_name(self, row: models.StateItem) -> str:
        """Return the key as one reads it."""
        return words.spelled(row.key)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return lives_here() and super().has_add_permission(request)

    def get_urls(self) -> list[URLPattern]:
        own = path("groups/", self.guarded(self.groups_view), name="motia_stateitem_groups")
        return [own, *super().get_urls()]

    def groups_view(self, request: HttpRequest) -> HttpResponse:
        """Show the groups, and how many items each has."""
        from motia_django.admin import groups

        found, has_more = groups.count_all(models.StateItem, "group")
        return self.page(
            request,
            "admin/motia/stateitem/groups.html",
            _("Groups of state"),
            groups=found if lives_here() else [],
            has_more=has_more,
            most=groups.MOST_GROUPS,
            elsewhere="" if lives_here() else settings().state["BACKEND"],
        )

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show an item, and below it the Steps that watch it."""
        row = self.get_object(request, unquote(object_id))
        watched = watchers(row, self.links(request), request) if row else []
        context = {"watched": watched, **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        elsewhere = "" if lives_here() else settings().state["BACKEND"]
        context = {"title": _("State"), "elsewhere": elsewhere, "bound": BoundedPaginator.limit}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Say so if somebody else wrote the item between the form's check and its saving."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except VersionConflict:
            text = _("Somebody else changed this item at the same moment: nothing was saved.")
            self.message_user(request, text, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        """Return what the admin's log says, with the reason that was given."""
        from motia_django.admin.interventions import logged

        return logged("Add" if add else "Change", form.cleaned_data["reason"])

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Write what was typed over the version that was seen; it expires when it did before."""
        content, seen = form.cleaned_data["content"], form.cleaned_data.get("seen_version")
        whole = [{"type": "set", "value": content}]
        state.update(obj.group, obj.key, whole, if_version=seen if change else 0)
        obj.pk = models.StateItem.objects.using(_database()).get(group=obj.group, key=obj.key).pk

    def delete_model(self, request: HttpRequest, obj: models.StateItem) -> None:
        state.delete(obj.group, obj.key)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Delete all of them, each as its own change, or none."""
        with transaction.atomic(using=_database()):
            for group, key in list(queryset.values_list("group", "key")):
                state.delete(group, key)


def watchers(
    row: models.StateItem, links: Links, request: HttpRequest
) -> list[tuple[str, str, str]]:
    """Return the Steps that watch an item, that this request's user may see.

    Each has the address of its page and that of its runs that changes of state started.
    """
    names = [step.name for step in registry() if any(_watches(each, row) for each in step.triggers)]
    return [
        (name, links.step(name), links.runs(step=name, trigger="state"))
        for name in sorted(names)
        if permits.may(request, "motia.view_step", name)
    ]


def _watches(trigger: Trigger, row: models.StateItem) -> bool:
    return (
        isinstance(trigger, StateTrigger)
        and trigger.group_id in (None, row.group)
        and trigger.item_id in (None, row.key)
    )


def lives_here() -> bool:
    """Return whether state is kept in the table that these pages show."""
    return isinstance(state_store(), OrmState)


def _database() -> str:
    return router.db_for_write(models.StateItem)
