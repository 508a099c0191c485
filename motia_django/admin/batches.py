"""Batches: what is done to many runs in the background, how far it is, and stopping it."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path

from motia_django.admin.pages import ReadOnlyAdmin


class BatchAdmin(ReadOnlyAdmin):
    """The batches, and the way to a new one: choose the runs, look at what would come of it, go."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let in those who may view runs."""
        return bool(request.user.has_perm("motia.view_run"))

    def get_urls(self) -> list[URLPattern]:
        views = {
            "choose/": ("choose", self.guarded(self.choose_view)),
            "preview/": ("preview", self.guarded(self.preview_view, also=("POST",))),
            "<path:object_id>/stop/": ("stop", self.guarded(self.stop_view, also=("POST",))),
        }
        own = [
            path(where, view, name=f"motia_batch_{name}") for where, (name, view) in views.items()
        ]
        return [*own, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the newest batches."""
        from motia_django.admin import batch_pages

        return batch_pages.newest(self, request)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show how far one batch is."""
        from motia_django.admin import batch_pages

        return batch_pages.one(self, request, unquote(object_id))

    def choose_view(self, request: HttpRequest) -> HttpResponse:
        """Ask which runs; the answer leads to the preview."""
        from motia_django.admin import batch_pages

        return batch_pages.choose(self, request)

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """Show what would come of it; on POST do it."""
        from motia_django.admin import batch_pages

        return batch_pages.preview(self, request)

    def stop_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """On POST, stop a batch where it is."""
        from motia_django.admin import batch_pages

        return batch_pages.stop(self, request, unquote(object_id))
