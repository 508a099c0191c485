"""What an http Step is given, a request, and what it may answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any, ClassVar, Generic, Self

from rest_framework.response import Response as RestResponse
from rest_framework.utils.encoders import JSONEncoder
from typing_extensions import TypeVar

from motia_django import payloads
from motia_django.exceptions import InvalidResponse, PayloadError
from motia_django.sources import snake
from motia_django.triggers.base import Spelled, is_stream
from motia_django.triggers.channel import Body, Channel
from motia_django.triggers.policies import nobody
from motia_django.triggers.sse import SentEvents

Content = TypeVar("Content", default=Any)


@dataclass(init=False)
class Request(Spelled, Generic[Content]):
    """What an http Step is given: the request, parsed and checked.

    `Request[Order]` says what the body is. Where that is a dict, or `Any`, the handler is given a
    dict, once it is right by the schema, even if this is a pydantic model.
    """

    aliases: ClassVar[Mapping[str, str]] = {
        "path_params": "params",
        "pathParams": "params",
        "query_params": "query",
        "queryParams": "query",
    }

    method: str = ""
    path: str = ""
    """The path of this request, without the query."""
    params: Any = field(default_factory=dict)
    """What stood in the place of each `:name` of the declared path; or what its schema gives."""
    query: Any = field(default_factory=dict)
    """A string for each key, a list where a key repeats; or what its schema gives."""
    headers: Any = field(default_factory=dict)
    """All headers, whatever the case of the name asked for; or what their schema gives."""
    body: Content = None  # type: ignore[assignment]
    """The parsed body; or what its schema gives."""
    raw: Any = None
    """Django REST framework's own request; None when the Step was invoked by name."""

    raw_body: bytes | None = None
    """The body as it was sent, where the trigger says `rawBody`."""

    def __init__(
        self,
        *,
        method: str = "",
        path: str = "",
        params: Any = None,
        query: Any = None,
        headers: Any = None,
        body: Any = None,
        raw: Any = None,
        raw_body: bytes | None = None,
        **spelled: Any,
    ) -> None:
        self.method, self.path = method, path
        self.params = {} if params is None else params
        self.query = {} if query is None else query
        self.headers = {} if headers is None else headers
        self.body, self.raw, self.raw_body = body, raw, raw_body
        for name, value in spelled.items():
            setattr(self, self._known(name), value)

    @classmethod
    def _known(cls, name: str) -> str:
        """Return the name of a part, in whichever spelling; raise `TypeError` if there is none."""
        known = cls.aliases.get(name) or snake(name)
        if known in cls.__dataclass_fields__:
            return known
        raise TypeError(f"Request has no part {name!r}")

    @property
    def request(self) -> Self:
        """The request itself, as handlers of Motia 1.0 ask for it."""
        return self

    @cached_property
    def response(self) -> Channel:
        """Where a handler writes its answer to, part by part, if it returns none."""
        return Channel()

    @cached_property
    def request_body(self) -> Body:
        """The body as it was sent, to be read from its `stream`."""
        return Body(self.raw_body or b"")

    @property
    def user(self) -> Any:
        """Who asks, as the authentication classes have it; nobody when it was invoked by name."""
        if self.raw is None:
            return nobody()
        return getattr(self.raw, "user", None)

    @property
    def auth(self) -> Any:
        """With what they proved it."""
        return getattr(self.raw, "auth", None)

    @property
    def files(self) -> Any:
        """The uploaded files, by field name."""
        return getattr(self.raw, "FILES", {})

    @property
    def session(self) -> Any:
        """The session, by Django's own middleware; None where there is none."""
        return getattr(self.raw, "session", None)

    @property
    def serializer_context(self) -> dict[str, Any]:
        """The `context` that REST framework's views give their serializers: request, view, format.

        The Step's own schemas have it; it is for serializers that a handler makes itself. Empty
        when the Step was invoked by name.
        """
        parsing = getattr(self.raw, "parser_context", None)
        return {"request": self.raw, "view": parsing["view"], "format": None} if parsing else {}

    def check_object_permissions(self, obj: Any) -> None:
        """Ask the permissions of this Step about one object, as REST framework's views do.

        Raise what answers 401 or 403. Who invoked the Step by name was asked nothing, and is not
        asked now.
        """
        if self.raw is not None:
            self.raw.parser_context["view"].check_object_permissions(self.raw, obj)


def written_by(request: Request) -> Response | None:
    """Return what a handler wrote to its request's channel as an answer; None if nothing."""
    channel = request.__dict__.get("response")
    if channel is None or not channel.is_used:
        return None
    return Response(b"".join(channel.parts), status=channel.code, headers=channel.fields)


def with_parts(request: Request, parts: Mapping[str, Any]) -> Request:
    """Return the same request with these parts in the place of its own."""
    other = Request.__new__(Request)
    other.__dict__ = {**request.__dict__, **parts}
    return other


@dataclass(frozen=True, slots=True)
class Response(Generic[Content]):
    """What an http Step answers: `{"status": 201, "body": ..., "headers": {...}}` as an object."""

    body: Content = None  # type: ignore[assignment]
    _: KW_ONLY
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_raw(self) -> bool:
        """Whether the body goes out as it is: bytes, or text with a content type of its own."""
        typed = any(name.lower() == "content-type" for name in self.headers)
        return isinstance(self.body, bytes) or (isinstance(self.body, str) and typed)

    @property
    def is_streamed(self) -> bool:
        """Whether the body is sent part by part, as a generator makes it."""
        return is_stream(self.body) or isinstance(self.body, SentEvents)


_KEYS = {"status", "body", "headers"}
_EXPECTED_RESPONSE = (
    'expected {"status": 200, "body": ..., "headers": {...}}, a Response, '
    "a response of Django or Django REST framework, a generator, or None"
)


def answered(value: Any, subject: str) -> Response:
    """Read a handler's result as an answer; raise `InvalidResponse` if it is none."""
    if value is None:
        return Response(status=HTTPStatus.NO_CONTENT)
    if is_stream(value) or isinstance(value, SentEvents):
        return Response(value)
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


def encoded(data: Any, given: Any) -> Any:
    """Return the data of REST framework's response as its JSON has them: decimals are numbers.

    What JSON cannot hold stays as it is if another renderer was asked for, such as one of a
    template; else raise `PayloadError`.
    """
    try:
        return payloads.loads(json.dumps(data, cls=JSONEncoder, allow_nan=False))
    except (TypeError, ValueError) as error:
        renderer = getattr(getattr(given, "raw", None), "accepted_renderer", None)
        if getattr(renderer, "format", "json") in ("json", "api"):
            raise PayloadError(f"The data of the response cannot be written: {error}") from error
        return data


def _own_headers(response: RestResponse) -> dict[str, str]:
    """Return the headers without the content type that Django presumes before it is rendered."""
    headers = {name: text for name, text in response.headers.items() if name != "Content-Type"}
    return headers | ({"Content-Type": response.content_type} if response.content_type else {})


def is_status(value: Any) -> bool:
    """Return whether this is a status code that a handler may answer."""
    return isinstance(value, int) and not isinstance(value, bool) and 200 <= value <= 599


def _part_errors(value: Mapping[str, Any]) -> dict[str, list[str]]:
    errors: dict[str, list[str]] = {}
    status, headers = value.get("status", 200), value.get("headers")
    if not is_status(status):
        errors["status"] = [f"expected a status code from 200 to 599, got {status!r:.100}"]
    if headers is not None and not isinstance(headers, Mapping):
        errors["headers"] = [f"expected a dict of header to text, got {headers!r:.100}"]
    for name, text in dict(headers or {}).items() if "headers" not in errors else ():
        is_text = isinstance(text, str | int | float) and not isinstance(text, bool)
        if not is_text or any(character in f"{name}{text}" for character in "\r\n\x00"):
            errors[f"headers.{name}"] = [f"expected text on one line, got {text!r:.100}"]
    return errors
