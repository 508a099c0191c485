"""Steps: the list, with what is wrong with Step files on top, and one Step's page."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.utils import unquote
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from motia_django.admin import permits
from motia_django.admin.pages import ReadOnlyAdmin
from motia_django.registry import registry

SEE = "motia.view_step"


class StepAdmin(ReadOnlyAdmin):
    """The Steps of this process, as discovery found them."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show all Steps; and every problem of every Step file to whom the hook hides nothing."""
        from motia_django.admin import step_pages

        return step_pages.all_steps(self, request)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show one Step. One that is gone has no page, but its runs may still be in the history."""
        from motia_django.admin import step_pages

        return step_pages.one_step(self, request, _name(object_id, request))

    def get_urls(self) -> list[URLPattern]:
        views: dict[str, tuple[str, Any]] = {
            "pause": ("<path:object_id>/pause/", self.pause_view),
            "resume": ("<path:object_id>/resume/", self.resume_view),
            "run": ("<path:object_id>/run/<int:index>/", self.run_view),
            "topics": ("topics/", self.topics_view),
            "enqueue": ("topics/<path:topic>/enqueue/", self.enqueue_view),
        }
        own = [
            path(route, self.guarded(view, also=("POST",)), name=f"motia_step_{word}")
            for word, (route, view) in views.items()
        ]
        return [*own, *super().get_urls()]

    # An http Step that is run here has transactions of its own, as any request to it has.
    @transaction.non_atomic_requests
    def run_view(self, request: HttpRequest, object_id: str, index: int) -> HttpResponse:
        """Ask for the input, and run one of a Step's triggers now."""
        from motia_django.admin import starting

        return starting.run_now(self, request, _name(object_id, request), index)

    def topics_view(self, request: HttpRequest) -> HttpResponse:
        """Show the topics that a message may be sent to."""
        from motia_django.admin import sending

        return sending.topics(self, request)

    def enqueue_view(self, request: HttpRequest, topic: str) -> HttpResponse:
        """Ask for a message, and send it."""
        from motia_django.admin import sending

        return sending.enqueue(self, request, unquote(topic))

    def pause_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, and pause a Step."""
        from motia_django.admin import pauses

        return pauses.pause(self, request, _name(object_id, request))

    def resume_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Resume a Step; one that is gone too."""
        from motia_django.admin import pauses

        name, links = unquote(object_id), self.links(request)
        if "\x00" in name or not permits.may(request, SEE, name):
            raise Http404(_("There is no Step named %s.") % name)
        back = (name in registry() and links.step(name)) or links.steps()
        return pauses.resume(self, request, name, back)


def _name(object_id: str, request: HttpRequest) -> str:
    """Return the name of a Step that is there, and that this request's user may see."""
    name = unquote(object_id)
    if name not in registry() or not permits.may(request, SEE, name):
        raise Http404(_("There is no Step named %s.") % name)
    return name
