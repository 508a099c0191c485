"""Schedules: when each cron trigger is due, when it last ran, and what operators say of it."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path

from motia_django.admin.pages import ReadOnlyAdmin

DEEDS = ("run", "pause", "resume", "override", "restore")
"""What may be done to a schedule, each at an address of this name; `schedule_deeds` does it."""


class ScheduleAdmin(ReadOnlyAdmin):
    """The cron triggers of the Steps of this process."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show every schedule."""
        from motia_django.admin import schedule_page

        return schedule_page.schedules(self, request)

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> Any:
        """Lead to the list: a schedule has no page of its own, but the admin's log links to one."""
        return HttpResponseRedirect(self.links(request).schedules())

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(
                f"<path:object_id>/<int:index>/{name}/",
                self.guarded(self.deed_view, also=("POST",)),
                {"name": name},
                name=f"motia_schedule_{name}",
            )
            for name in DEEDS
        ]
        end = self.guarded(self.lapsed_view, also=("POST",))
        own.append(path("lapsed/<int:number>/", end, name="motia_schedule_lapsed"))
        return [*own, *super().get_urls()]

    def lapsed_view(self, request: HttpRequest, number: int) -> HttpResponse:
        """Forget what is said of a schedule that is not there any more."""
        from motia_django.admin import lapsed

        return lapsed.remove(self, request, number)

    def deed_view(
        self, request: HttpRequest, object_id: str, index: int, name: str
    ) -> HttpResponse:
        """Ask, and do something to one schedule."""
        from motia_django.admin import schedule_deeds

        return schedule_deeds.do(self, request, unquote(object_id), index, name)
