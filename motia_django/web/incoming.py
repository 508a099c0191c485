"""REST framework's request, with its headers and the usual JSON read quickly."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any

from django.conf import settings as django_settings
from django.http.request import HttpHeaders, HttpRequest
from django.utils.datastructures import MultiValueDict
from rest_framework.request import Request as RestRequest

from motia_django import payloads


class Headers(HttpHeaders):
    """Django's headers of a request; how each is spelled is known from the requests before."""

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._environ = environ

    @cached_property
    def _store(self) -> dict[str, tuple[str, str]]:  # type: ignore[override]
        """The names in lower case, each with its own spelling and its value."""
        return {
            names[0]: (names[1], value)
            for variable, value in self._environ.items()
            if (names := _names(variable))
        }

    def as_dict(self) -> dict[str, str]:
        """Return them as they are spelled."""
        return dict(self._store.values())


class IncomingRequest(RestRequest):
    """What REST framework's views, policies and parsers are given."""

    quick_json = False
    """Whether `JSONParser` itself, and as it comes, is to read `application/json`."""
    is_json = False
    """Whether the data are JSON for certain, and can be written as they were read."""

    def __init__(self, request: HttpRequest, **known: Any) -> None:
        super().__init__(request, **known)
        # What is asked for again and again, and would be looked for here first each time.
        self.method, self.path, self.META = request.method, request.path, request.META

    @cached_property
    def headers(self) -> Headers:
        """All headers, whatever the case of the name asked for."""
        return Headers(self._request.META)

    def _parse(self) -> tuple[Any, Any]:
        """Read the body; what is not plainly JSON, errors among it, is left to REST framework."""
        request = self._request
        if not self.quick_json or request.content_type != "application/json":
            return super()._parse()  # type: ignore[misc, no-any-return]
        encoding = request.encoding or django_settings.DEFAULT_CHARSET
        try:
            data = payloads.read(request.body) if encoding.lower() == "utf-8" else None
        except ValueError:
            data = None
        if data is None:
            return super()._parse()  # type: ignore[misc, no-any-return]
        self.is_json = True
        return data, MultiValueDict()


@lru_cache(maxsize=1024)
def _names(variable: str) -> tuple[str, str] | None:
    """Return the header that a variable of the server's holds, in lower case and as it is."""
    name = HttpHeaders.parse_header_name(variable)
    return (name.lower(), name) if name else None
