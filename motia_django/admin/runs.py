"""Runs: the list, and one run's page."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from motia_django import models
from motia_django.admin import permits
from motia_django.admin.pages import ReadOnlyAdmin

DEEDS = ("retry", "redrive", "edit", "move", "rerun", "rerun_edited", "discard", "cancel")
"""What may be done to a run, each at an address of this name; `interventions` says what it is."""


class RunAdmin(ReadOnlyAdmin):
    """Every run of every Step, newest first."""

    list_also = ("POST",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return permits.narrowed(super().get_queryset(request), request)

    def get_urls(self) -> list[URLPattern]:
        views = [
            path(
                f"<path:object_id>/{name}/",
                self.guarded(partial(self.intervene_view, what=name), also=("POST",)),
                name=f"motia_run_{name}",
            )
            for name in DEEDS
        ]
        export = path(
            "<path:object_id>/export/", self.guarded(self.export_view), name="motia_run_export"
        )
        short = path("<uuid:run_id>/", self.guarded(self.go_to_run))
        return [*views, export, short, *super().get_urls()]

    def go_to_run(self, request: HttpRequest, run_id: UUID) -> HttpResponse:
        """Lead from a run's address as people shorten it to its page."""
        return redirect(self.links(request).run(run_id))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list, which has an admin of its own: so only those load it who look at it."""
        from motia_django.admin.run_list import RunListAdmin

        return RunListAdmin(self.model, self.admin_site).changelist_view(request, extra_context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show one run."""
        from motia_django.admin import run_page

        row = self._found(request, object_id)
        context = run_page.context(row, self.links(request), request)
        return self.page(request, "admin/motia/run/run.html", row.step, **context)

    def intervene_view(self, request: HttpRequest, object_id: str, *, what: str) -> HttpResponse:
        """Do something to one run: a form by GET, the deed by POST."""
        from motia_django.admin import run_views

        return run_views.intervene(self, request, self._found(request, object_id), what)

    def export_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Send all of one run as a file of JSON."""
        from motia_django.admin import copies

        return copies.exported(self._found(request, object_id), self.links(request))

    def _found(self, request: HttpRequest, object_id: str) -> models.Run:
        row: models.Run | None = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404(_("There is no run %s.") % object_id)
        return row
