"""The http trigger: what a Step asks of requests, and what it may answer."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from http import HTTPStatus
from typing import Any, ClassVar

from django.conf import settings as django_settings
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import Http404, HttpResponseBase
from rest_framework.exceptions import APIException
from rest_framework.response import Response as RestResponse

from motia_django import declarations, payloads
from motia_django.conf import settings
from motia_django.declarations import Mismatch, Reader
from motia_django.delivery import Delivery
from motia_django.exceptions import InvalidInput, InvalidResponse
from motia_django.schemas import Schema
from motia_django.triggers.base import Spelled, Trigger, schema, take_condition

logger = logging.getLogger("motia.http")

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_RESERVED = ("self", "request", "format")
_SEGMENT = re.compile(r":[A-Za-z_][A-Za-z0-9_]*|[\w.~!$&'()*+,;=@-]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Request(Spelled):
    """What an http Step is given: the request, parsed and checked."""

    aliases: ClassVar[Mapping[str, str]] = {
        "path_params": "params",
        "pathParams": "params",
        "query_params": "query",
        "queryParams": "query",
    }

    method: str
    path: str
    """The path of this request, without the query."""
    params: Mapping[str, str] = field(default_factory=dict)
    """What stood in the place of each `:name` of the declared path."""
    query: Mapping[str, str | list[str]] = field(default_factory=dict)
    """The query: a string for each key, a list where a key repeats."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """The headers, whatever the case of the name asked for."""
    body: Any = None
    """The parsed body, as its schema gives it."""
    raw: Any = None
    """Django REST framework's own request; None when the Step was invoked by name."""

    @property
    def user(self) -> Any:
        """Who asks, as the authentication classes have it."""
        return getattr(self.raw, "user", None)

    @property
    def auth(self) -> Any:
        """With what they proved it."""
        return getattr(self.raw, "auth", None)

    @property
    def files(self) -> Any:
        """The uploaded files, by field name."""
        return getattr(self.raw, "FILES", {})


@dataclass(frozen=True, slots=True)
class Response:
    """What an http Step answers: `{"status": 201, "body": ..., "headers": {...}}` as an object."""

    body: Any = None
    _: KW_ONLY
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_raw(self) -> bool:
        """Whether the body goes out as it is: bytes, or text with a content type of its own."""
        typed = any(name.lower() == "content-type" for name in self.headers)
        return isinstance(self.body, bytes) or (isinstance(self.body, str) and typed)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpTrigger(Trigger):
    """`{"type": "http", "method": "POST", "path": "/todos/:id", ...}`."""

    kind: ClassVar[str] = "http"

    method: str
    path: str
    body_schema: Schema | None = None
    response_schemas: Mapping[int, Schema] = field(default_factory=dict)

    @classmethod
    def read(cls, reader: Reader) -> HttpTrigger:
        """Read one entry of `triggers`; problems are noted in the reader."""
        return cls(
            method=reader.take("method", declarations.one_of(*METHODS), default="GET"),
            path=reader.take("path", _path),
            body_schema=reader.take("body_schema", schema, default=None),
            response_schemas=reader.take("response_schema", _by_status, default={}),
            condition=take_condition(reader),
            delivery=Delivery.read_answered(reader),
        )

    @property
    def source(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def schema(self) -> Schema | None:
        return self.body_schema

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the `:name` segments, in order."""
        return tuple(part[1:] for part in self.path.split("/") if part.startswith(":"))

    def clean_input(self, raw: Request, subject: str) -> Request:
        if self.body_schema is None:
            return raw
        body = self.body_schema.clean(raw.body, subject)
        return Request(
            method=raw.method,
            path=raw.path,
            params=raw.params,
            query=raw.query,
            headers=raw.headers,
            body=body,
            raw=raw.raw,
        )

    def clean_output(self, value: Any, subject: str) -> Response | HttpResponseBase:
        if isinstance(value, HttpResponseBase) and not isinstance(value, RestResponse):
            return value
        response = _response(value, subject)
        declared = self.response_schemas.get(response.status)
        body = response.body
        if declared is not None:
            body = _fitting(declared, response, subject)
        elif not response.is_raw:
            body = payloads.plain(body)
        if isinstance(value, RestResponse):
            value.data = body
            return value
        return Response(body, status=response.status, headers=response.headers)

    def input_for(self, data: Any) -> Request:
        return Request(method=self.method, path=self.path, body=data)

    def is_answer(self, error: Exception) -> bool:
        if isinstance(error, APIException):
            return error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR
        return isinstance(error, Http404 | PermissionDenied | BadRequest)


def http(
    method: str,
    path: str,
    *,
    body_schema: Any = None,
    response_schema: Mapping[int, Any] | None = None,
    condition: Any = None,
    config: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Declare an http trigger: `http("POST", "/todos", body_schema=NewTodo)`."""
    given = {
        "body_schema": body_schema,
        "response_schema": response_schema,
        "condition": condition,
        "config": config,
    }
    return {"type": "http", "method": method, "path": path} | {
        key: value for key, value in given.items() if value is not None
    }


def _path(value: Any) -> str:
    expected = 'a path such as "/todos/:id"'
    if not isinstance(value, str) or not value.startswith("/"):
        raise Mismatch(f"{expected}, beginning with /")
    segments = value[1:].split("/")
    for segment in segments[:-1] if segments[-1] == "" else segments:
        if not _SEGMENT.fullmatch(segment):
            raise Mismatch(
                f"{expected}: {segment!r} is neither a plain segment nor a parameter (:name)"
            )
    names = [segment for segment in segments if segment.startswith(":")]
    if len(names) != len(set(names)):
        raise Mismatch(f"{expected}, each parameter once")
    reserved = [name[1:] for name in names if name[1:] in _RESERVED]
    if reserved:
        raise Mismatch(f"{expected}; the parameter name {reserved[0]!r} is Django's own")
    return value


def _by_status(value: Any) -> Mapping[int, Schema]:
    if not isinstance(value, Mapping):
        raise Mismatch("a dict of status code to schema")
    return {_status(status): schema(declared) for status, declared in value.items()}


def _status(value: Any) -> int:
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 200 <= value <= 599:
        raise Mismatch(f"status codes from 200 to 599 as keys; {value!r} is none")
    return value


def _fitting(declared: Schema, response: Response, subject: str) -> Any:
    """Return the body by its schema; what one that breaks it becomes, the settings say."""
    try:
        return declared.dump(response.body, subject)
    except InvalidInput as error:
        broken = InvalidResponse(f"The {response.status} response of {subject}", error.errors)
    policy = settings().invalid_responses
    if policy == "error" or (policy == "debug" and django_settings.DEBUG):
        raise broken
    logger.error("%s; it was sent all the same", broken)
    return response.body if response.is_raw else payloads.plain(response.body)


_KEYS = {"status", "body", "headers"}
_EXPECTED_RESPONSE = (
    'expected {"status": 200, "body": ..., "headers": {...}}, a Response, '
    "a response of Django or Django REST framework, or None"
)


def _response(value: Any, subject: str) -> Response:
    """Read a handler's result as an answer; raise `InvalidResponse` if it is none."""
    if value is None:
        return Response(status=HTTPStatus.NO_CONTENT)
    if isinstance(value, RestResponse):
        return Response(value.data, status=value.status_code, headers=_own_headers(value))
    if isinstance(value, Response):
        value = {"status": value.status, "body": value.body, "headers": value.headers}
    if not isinstance(value, Mapping) or not value or not set(value) <= _KEYS:
        raise InvalidResponse(
            f"The result of {subject}", {"": [f"{_EXPECTED_RESPONSE}, got {value!r:.200}"]}
        )
    errors = _part_errors(value)
    if errors:
        raise InvalidResponse(f"The result of {subject}", errors)
    return Response(
        value.get("body"),
        status=int(value.get("status", 200)),
        headers={str(name): str(content) for name, content in (value.get("headers") or {}).items()},
    )


def _own_headers(response: RestResponse) -> dict[str, str]:
    """Return the headers without the content type that Django presumes before it is rendered."""
    headers = {name: text for name, text in response.headers.items() if name != "Content-Type"}
    return headers | ({"Content-Type": response.content_type} if response.content_type else {})


def _part_errors(value: Mapping[str, Any]) -> dict[str, list[str]]:
    errors: dict[str, list[str]] = {}
    status, headers = value.get("status", 200), value.get("headers")
    if isinstance(status, bool) or not isinstance(status, int) or not 200 <= status <= 599:
        errors["status"] = [f"expected a status code from 200 to 599, got {status!r:.100}"]
    if headers is not None and not isinstance(headers, Mapping):
        errors["headers"] = [f"expected a dict of header to text, got {headers!r:.100}"]
    for name, text in dict(headers or {}).items() if "headers" not in errors else ():
        is_text = isinstance(text, str | int | float) and not isinstance(text, bool)
        if not is_text or any(character in f"{name}{text}" for character in "\r\n\x00"):
            errors[f"headers.{name}"] = [f"expected text on one line, got {text!r:.100}"]
    return errors
