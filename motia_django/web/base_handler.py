"""What our handlers for WSGI and for ASGI share: less to be done for each request for a Step."""

from __future__ import annotations

from typing import Any

from django.core.handlers.base import BaseHandler
from django.urls import ResolverMatch, get_resolver

from motia_django.sources import is_own
from motia_django.web.paths import Paths, step_view
from motia_django.web.responses import WITHOUT_BODY, set_known_headers


class StepHandler(BaseHandler):
    """Django's handler, which remembers the paths of Steps, and tells how long an answer is."""

    def __init__(self) -> None:
        super().__init__()
        self._paths: Paths | None = None

    def match(self, path: str) -> ResolverMatch:
        """Return where a path leads to; raise `Resolver404`."""
        resolver = get_resolver()
        paths = self._paths
        if paths is None or paths.resolver is not resolver:
            paths = self._paths = Paths(resolver)
        return paths.match(path)

    def resolve_request(self, request: Any) -> ResolverMatch:
        """Return where a request's path leads to, and tell the request."""
        if hasattr(request, "urlconf"):
            return super().resolve_request(request)
        match = self.match(request.path_info)
        request.resolver_match = match
        return match

    def make_view_atomic(self, view: Any) -> Any:
        """Return the view in the transactions of its request; Steps open theirs themselves."""
        if step_view(view) is not None and is_own(BaseHandler.make_view_atomic, "django"):
            return view
        return super().make_view_atomic(view)

    def get_response(self, request: Any) -> Any:
        """Return the answer to a request.

        One that does not tell its length would be sent in chunks, and takes the server longer.
        """
        response: Any = super().get_response(request)
        if not (
            response.streaming
            or "content-length" in response.headers._store
            or response.status_code in WITHOUT_BODY
        ):
            set_known_headers(response, {"Content-Length": str(len(response.content))})
        return response
