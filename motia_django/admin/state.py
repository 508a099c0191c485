"""State: its items by group, to read, edit, add and delete as whoever watches them expects."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db import router, transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from motia_django import models
from motia_django.admin import words
from motia_django.admin.filters import GroupFilter
from motia_django.admin.interventions import logged
from motia_django.admin.items import ItemAdmin
from motia_django.admin.paging import BoundedPaginator
from motia_django.admin.state_form import StateItemForm
from motia_django.conf import settings
from motia_django.exceptions import VersionConflict
from motia_django.stores import state_store
from motia_django.stores.face import state
from motia_django.stores.orm import OrmState


class StateItemAdmin(ItemAdmin):
    """Items of state. Every change goes through `state`, so that state triggers hear of it."""

    form = StateItemForm
    list_display = ("group", "key", "preview", "updated", "expires")
    list_display_links = ("key",)
    list_filter = (GroupFilter,)
    ordering = ("group", "key")
    search_fields = ("key",)
    search_help_text = gettext_lazy("How a key begins.")

    @admin.display(description=gettext_lazy("expires"), empty_value=words.NOTHING)
    def expires(self, row: models.StateItem) -> SafeString | str | None:
        """Return from when on the item is not there any more."""
        return words.moment_stacked(row.expires_at) if row.expires_at else None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        stays = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
        return rows.filter(stays) if lives_here() else rows.none()

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None:
            return ("group", "key", "content", "reason")
        if not self.has_change_permission(request, obj):
            return ("group", "key", "content", "updated", "expires")
        return ("group", "key", "content", "updated", "expires", "reason", "seen_version")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if obj is None else ("group", "key", "updated", "expires")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return lives_here() and super().has_add_permission(request)

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


def lives_here() -> bool:
    """Return whether state is kept in the table that these pages show."""
    return isinstance(state_store(), OrmState)


def _database() -> str:
    return router.db_for_write(models.StateItem)
