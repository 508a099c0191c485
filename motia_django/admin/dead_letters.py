"""Dead letters: the errors that killed runs, each with its runs, and what can be done to them."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse

from motia_django.admin.pages import ReadOnlyAdmin


class DeadLetterAdmin(ReadOnlyAdmin):
    """The dead runs of all Steps, by the error that killed them."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the errors; `?step=` and `?flow=` narrow them, and `?order=` arranges them."""
        from motia_django.admin import dead_letter_pages

        return dead_letter_pages.errors(self, request)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show one error: an example of it, and its newest runs."""
        from motia_django.admin import dead_letter_pages

        return dead_letter_pages.error(self, request, unquote(object_id))
