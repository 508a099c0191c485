"""Django's WSGI handler, with less to be done for each request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.handlers.wsgi import WSGIHandler, get_script_name
from django.http import HttpResponse
from django.urls import set_script_prefix

from motia_django.sources import is_own
from motia_django.web import turnover
from motia_django.web.base_handler import StepHandler


class WsgiHandler(StepHandler, WSGIHandler):
    """What answers requests, as Django's own does."""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Answer a request; as Django's own method does, if somebody watches that."""
        if not is_own(WSGIHandler.__call__, "django"):
            return super().__call__(environ, start_response)
        set_script_prefix(get_script_name(environ))
        turnover.begin(self.__class__, environ=environ)
        response: Any = self.get_response(self.request_class(environ))
        response._handler_class = self.__class__
        headers = [*response.headers._store.values()]
        if response.cookies:
            headers += [("Set-Cookie", each.OutputString()) for each in response.cookies.values()]
        start_response(f"{response.status_code} {response.reason_phrase}", headers)
        return _in_parts(response, environ) if response.streaming else _Whole(response)


class _Whole:
    """An answer that is there, as the server sends and closes it."""

    __slots__ = ("_response",)

    def __init__(self, response: HttpResponse) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._response)

    def close(self) -> None:
        """End the request."""
        turnover.close(self._response)


def _in_parts(response: Any, environ: dict[str, Any]) -> Any:
    """Return what the server reads the parts of an answer from: of a file it may do so itself."""
    file, wrapped = getattr(response, "file_to_stream", None), environ.get("wsgi.file_wrapper")
    if file is None or wrapped is None:
        return response
    file.close = response.close  # it is what the server closes
    return wrapped(file, response.block_size)
