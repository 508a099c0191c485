"""The routes of http Steps as URL patterns, and the way from a path to its route."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage
from django.urls import Resolver404, ResolverMatch, URLPattern, URLResolver
from django.urls.resolvers import RoutePattern

from motia_django.registry import Route


class StepPattern(URLPattern):
    """A pattern whose view is made when it is first looked for.

    Until then nothing of what serves requests is loaded. A worker never does: it only has Django
    check the URLs.
    """

    @property
    def callback(self) -> Any:
        """The view; it is set to what makes it."""
        return self._made()

    @callback.setter
    def callback(self, made: Callable[[], Any]) -> None:
        self._made = made

    def _check_callback(self) -> list[CheckMessage]:
        return []  # it is a view


class Routes(URLResolver):
    """The patterns of all routes: to Django a resolver like any other, but one that need not try.

    Which routes a path can be for is looked up by its number of segments, and by those segments
    that are no parameters. So it takes as long with thousands of them as with a few.
    """

    def __init__(self, patterns: Sequence[URLPattern]) -> None:
        super().__init__(RoutePattern(""), [*patterns])
        self._shapes: dict[int, list[tuple[bool, ...]]] = {}
        """For each number of segments: which of them are parameters, in the order of the routes."""
        self._by_segments: dict[tuple[str | None, ...], list[URLPattern]] = {}
        for pattern in patterns:
            self._index(pattern)
        literal = [each for each in patterns if not each.pattern.converters]
        self._literal = {str(each.pattern): each for each in reversed(literal)}
        """The routes without parameters by their path: they stand before all others that fit it."""
        self._matches: dict[str, ResolverMatch] = {}
        """How they have matched, which is the same each time: Django copies it into its own."""

    def resolve(self, path: str) -> ResolverMatch:
        """Return the first match; raise `Resolver404`, which tells what was tried only in DEBUG."""
        match = self._matches.get(path)
        if match is not None:
            return match
        if settings.DEBUG:
            return super().resolve(path)
        literal = self._literal.get(path)
        for pattern in (literal,) if literal else self._candidates(path):
            match = pattern.resolve(path)
            if match and literal:
                self._matches[path] = match
            if match:
                return match
        raise Resolver404({"path": path})

    def _index(self, pattern: URLPattern) -> None:
        parts = str(pattern.pattern).split("/")
        shape = tuple(part.startswith("<") for part in parts)
        shapes = self._shapes.setdefault(len(parts), [])
        if shape not in shapes:
            shapes.append(shape)
        self._by_segments.setdefault(_segments(parts, shape), []).append(pattern)

    def _candidates(self, path: str) -> Iterator[URLPattern]:
        """Yield the patterns that may match, in the order that Django would try them in."""
        parts = path.split("/")
        for shape in self._shapes.get(len(parts), ()):
            yield from self._by_segments.get(_segments(parts, shape), ())


def urlpatterns_for(routes: Iterable[Route]) -> list[Any]:
    """Return a pattern for each Step of each route: the first answers, each can be reversed."""
    patterns = []
    for route in routes:
        made = cache(partial(_view, route))
        for name in sorted({listener.step.url_name for listener in route.endpoints.values()}):
            pattern = RoutePattern(_django_route(route.path), name=name, is_endpoint=True)
            patterns.append(StepPattern(pattern, made, name=name))
    return [Routes(patterns)]


def _view(route: Route) -> Any:
    from motia_django.web.views import view_for

    return view_for(route)


def _django_route(declared: str) -> str:
    """Translate `/users/:id` to `users/<str:id>`."""
    parts = declared[1:].split("/")
    return "/".join(f"<str:{part[1:]}>" if part.startswith(":") else part for part in parts)


def _segments(parts: Sequence[str], shape: Sequence[bool]) -> tuple[str | None, ...]:
    """Return a path's segments, None in the place of each parameter."""
    return tuple(
        None if is_parameter else part for part, is_parameter in zip(parts, shape, strict=True)
    )
