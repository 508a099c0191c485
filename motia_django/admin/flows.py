"""Flows: what starts what, as a picture with figures, as a list, and as files for other tools.

What draws them is loaded when somebody looks at them: most processes never do that for anybody.
"""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path

from motia_django.admin.pages import ReadOnlyAdmin


class FlowAdmin(ReadOnlyAdmin):
    """The flows that the Steps of this process name."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show everything, or the flow that `?flow=` names, with figures of `?window=`."""
        from motia_django.admin import flow_page

        shown = flow_page.shown(request, self.links(request))
        return self.page(request, "admin/motia/flow/flows.html", **shown)

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> Any:
        """A flow has no page besides the list."""
        raise Http404

    def get_urls(self) -> list[URLPattern]:
        view = self.guarded(self.export_view)
        return [path("export/<str:form>/", view, name="motia_flow_export"), *super().get_urls()]

    def export_view(self, request: HttpRequest, form: str) -> HttpResponse:
        """Send the graph of everything, or of the flow that `?flow=` names, as a file."""
        from motia_django.admin import flow_page

        return flow_page.exported(request, form)
