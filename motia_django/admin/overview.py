"""The overview: is anything wrong, and where to click."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse

from motia_django.admin.pages import ReadOnlyAdmin


class OverviewAdmin(ReadOnlyAdmin):
    """One page that says whether all is well."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show it; what it takes is loaded by those processes that do."""
        from motia_django.admin import overview_page

        shown = overview_page.shown(request, self.links(request))
        return self.page(request, "admin/motia/overview/overview.html", **shown)

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> Any:
        """There is nothing in it that would have a page."""
        raise Http404
