"""The routes of http Steps as URL patterns."""

from __future__ import annotations

from collections.abc import Iterable

from django.urls import URLPattern, path

from motia_django.registry import Route
from motia_django.web.views import view_for


def urlpatterns_for(routes: Iterable[Route]) -> list[URLPattern]:
    """Return a pattern for each Step of each route: the first answers, each can be reversed."""
    patterns = []
    for route in routes:
        view = view_for(route)
        names = {listener.step.url_name for listener in route.endpoints.values()}
        patterns += [path(_django_route(route.path), view, name=name) for name in sorted(names)]
    return patterns


def _django_route(declared: str) -> str:
    """Translate `/users/:id` to `users/<str:id>`."""
    parts = declared[1:].split("/")
    return "/".join(f"<str:{part[1:]}>" if part.startswith(":") else part for part in parts)
