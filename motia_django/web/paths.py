"""Where the project's paths lead to; those of Steps are looked up once."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.urls import ResolverMatch, URLPattern, URLResolver
from django.urls.resolvers import RegexPattern, RoutePattern
from django.utils.functional import cached_property

from motia_django.web.routing import Routes, StepPattern
from motia_django.web.views import StepView

_MOST_KNOWN = 4096
_PLAIN = (URLPattern, StepPattern, URLResolver, Routes, RegexPattern, RoutePattern)
"""Patterns that ask for nothing but the path; of other classes it is not known."""
_CONVERTERS = ("django.urls.converters", "rest_framework.urlpatterns")
"""Where converters are from that ask for nothing else; those of others may ask the database."""


class Paths:
    """What Django resolves the project's paths by, and where those of Steps have led to."""

    def __init__(self, resolver: URLResolver) -> None:
        self.resolver = resolver
        self._known: dict[str, ResolverMatch] = {}

    def match(self, path: str) -> ResolverMatch:
        """Return where a path leads to; raise `Resolver404`."""
        known = self._known.get(path)
        if known is not None:
            return _copied(known)
        match = self.resolver.resolve(path)
        is_alike = not match.args and not match.kwargs and step_view(match.func) is not None
        if is_alike and len(self._known) < _MOST_KNOWN and self._is_settled:
            self._known[path] = _copied(match)
        return match

    @cached_property
    def _is_settled(self) -> bool:
        """Whether a path leads to the same each time, whatever the language, say."""
        try:
            return _is_settled(self.resolver)
        except ImproperlyConfigured:  # Django tells of it where a path leads there
            return False


def step_view(view: Any) -> type[StepView] | None:
    """Return the class of a view if that answers for Steps."""
    view_class = getattr(view, "view_class", None)
    is_ours = isinstance(view_class, type) and issubclass(view_class, StepView)
    return view_class if is_ours else None


def _is_settled(pattern: URLPattern | URLResolver) -> bool:
    own: Any = pattern.pattern
    return (
        type(pattern) in _PLAIN
        and type(own) in _PLAIN
        and isinstance(getattr(own, "_route", own._regex), str)  # else it is translated
        and all(type(each).__module__ in _CONVERTERS for each in own.converters.values())
        and all(map(_is_settled, getattr(pattern, "url_patterns", ())))
    )


def _copied(match: ResolverMatch) -> ResolverMatch:
    """Return a match with arguments of its own: middleware may change them."""
    copy = ResolverMatch.__new__(ResolverMatch)
    copy.__dict__.update(match.__dict__, kwargs={})
    return copy
