"""REST framework's request, with its headers and the usual JSON read quickly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from django.conf import settings as django_settings
from django.http.request import HttpHeaders, HttpRequest
from django.utils.datastructures import MultiValueDict
from django.utils.functional import cached_property
from rest_framework.request import Empty
from rest_framework.request import Request as RestRequest

from motia_django import payloads


class Headers(HttpHeaders):
    """Django's headers of a request; how they are spelled is known from the requests before."""

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._environ = environ

    def __getitem__(self, key: str) -> str:
        """Return a header; only who lists them has all spelled."""
        found: str = self._environ[_variable(key)]
        return found

    @cached_property
    def _store(self) -> dict[str, tuple[str, str]]:  # type: ignore[override]
        """The names in lower case, each with its own spelling and its value."""
        return {name.lower(): (name, value) for name, value in self.as_dict().items()}

    def as_dict(self) -> dict[str, str]:
        """Return them as they are spelled."""
        environ = self._environ
        return {name: environ[variable] for name, variable in _layout(tuple(environ))}


class IncomingRequest(RestRequest):
    """What REST framework's views, policies and parsers are given."""

    quick_json = False
    """Whether `JSONParser` itself, and as it comes, is to read `application/json`."""
    is_json = False
    """Whether the data are JSON for certain, and can be written as they were read."""
    parameters: Sequence[str] = ()
    """The names of the parameters in the Step's own path, in order."""
    kept_body: Any = None
    """The body as the history keeps it, whatever becomes of the one that the handler is given."""
    is_kept_as_sent = False
    """Whether the history reads the body itself, from the bytes as they came."""
    _parsers: Any = ()

    def __init__(self, request: HttpRequest, **known: Any) -> None:
        super().__init__(request, **known)
        # What is asked for again and again, and would be looked for here first each time.
        self.method, self.path, self.META = request.method, request.path, request.META

    @property
    def parsers(self) -> Any:
        """What may read the body, made when REST framework is the one who reads it."""
        if not self._parsers:
            self._parsers = self.parser_context["view"].get_parsers()
        return self._parsers

    @parsers.setter
    def parsers(self, made: Any) -> None:
        self._parsers = made

    @cached_property
    def headers(self) -> Headers:
        """All headers, whatever the case of the name asked for."""
        return Headers(self._request.META)

    @property
    def params(self) -> dict[str, str]:
        """The path's own parameters, which come after those of a prefix it is included under.

        Whoever asks is given a dict of his own.
        """
        if not self.parameters:
            return {}
        values = list(self.parser_context["kwargs"].values())
        return dict(zip(self.parameters, values[-len(self.parameters) :], strict=True))

    @property
    def data(self) -> Any:
        """The parsed body. What is not plainly JSON, errors among it, REST framework parses."""
        if self._data is Empty and self.quick_json:
            self._read_json()
        return self._full_data if self.is_json else super().data

    def _read_json(self) -> None:
        request = self._request
        if request.content_type != "application/json":
            return
        encoding = request.encoding or django_settings.DEFAULT_CHARSET
        try:
            # Here Django asks how large it is; REST framework would read on, whatever its size.
            content = request.body
            if encoding.lower() != "utf-8":
                return
            self._data = self._full_data = payloads.read(content)
        except ValueError:
            return
        self._files: MultiValueDict[str, Any] = MultiValueDict()
        self.is_json = True


@lru_cache(maxsize=1024)
def _variable(name: str) -> str:
    """Return the variable of the server's environment that holds a header."""
    return str(HttpHeaders.to_wsgi_name(name))


@lru_cache(maxsize=256)
def _layout(variables: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return the headers among the variables of the server's environment, each with its own.

    Who asks a thousand times has the same ones each time.
    """
    named = ((HttpHeaders.parse_header_name(variable), variable) for variable in variables)
    return [(name, variable) for name, variable in named if name]
