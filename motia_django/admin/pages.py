"""What the read-only pages share: their two addresses, their permissions, their frame."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any

import django
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.forms.widgets import Script
from django.http import HttpRequest, HttpResponseBase, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from motia_django.admin import once
from motia_django.admin.bases import IS_UNFOLD, STYLES, ModelAdmin
from motia_django.admin.links import Links
from motia_django.runs import new_run_id


class FramedAdmin(ModelAdmin):  # type: ignore[type-arg]
    """An admin that has pages of its own, in the admin's frame; what is not seen is not touched."""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Return whether one may add, which is for those who may view, too."""
        return self.has_view_permission(request) and super().has_add_permission(request, *args)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Return whether one may delete, which is for those who may view, too."""
        return self.has_view_permission(request, obj) and super().has_delete_permission(
            request, obj
        )

    def links(self, request: HttpRequest) -> Links:
        """Return the links that this request's user may follow."""
        return Links(self.admin_site, request)

    def page(
        self, request: HttpRequest, template: str, title: str, **context: Any
    ) -> TemplateResponse:
        """Return a page in the admin's frame."""
        frame = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "media": self.media,
            "title": title,
            "links": self.links(request),
            "is_unfold": IS_UNFOLD,
            "are_crumbs_a_list": django.VERSION >= (6, 1),
            once.FIELD: new_run_id,
        }
        return TemplateResponse(request, template, {**frame, **context})

    def guarded(
        self, view: Callable[..., HttpResponseBase], *, also: tuple[str, ...] = ()
    ) -> Callable[..., HttpResponseBase]:
        """Let in who is logged in and may view, to look only or by these methods `also`."""
        allowed = ["GET", "HEAD", *also]

        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not self.has_view_permission(request):
                raise PermissionDenied
            if request.method not in allowed:
                return HttpResponseNotAllowed(allowed)
            request.current_app = self.admin_site.name
            return view(request, *args, **kwargs)

        return self.admin_site.admin_view(update_wrapper(guarded, view))


class ReadOnlyAdmin(FramedAdmin):
    """A list and a page of its own for each entry; nothing can be added, changed or deleted."""

    class Media:
        css = {"all": STYLES}
        js = (Script("motia_django/live.js", defer=True),)

    list_also: tuple[str, ...] = ()
    """Methods that the list takes besides those to look."""

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        return [
            path(
                "",
                self.guarded(self.changelist_view, also=self.list_also),
                name=f"{name}_changelist",
            ),
            path("<path:object_id>/change/", self.guarded(self.change_view), name=f"{name}_change"),
        ]

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
