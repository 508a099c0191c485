"""The http trigger: which requests start a Step, and what is asked of them and of its answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, ClassVar

from django.conf import settings as django_settings
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import Http404, HttpResponseBase
from rest_framework.exceptions import APIException
from rest_framework.response import Response as RestResponse

from motia_django import declarations, payloads
from motia_django.conf import settings
from motia_django.declarations import Reader
from motia_django.delivery import Delivery
from motia_django.exceptions import InvalidInput, InvalidResponse
from motia_django.schemas import Errors, Schema
from motia_django.triggers import http_values
from motia_django.triggers import middleware as chain
from motia_django.triggers.base import Trigger, schema, take_condition
from motia_django.triggers.etag import ETag, take_etag
from motia_django.triggers.exchange import (
    Request,
    Response,
    answered,
    encoded,
    is_status,
    with_parts,
    written_by,
)
from motia_django.triggers.idempotency import Idempotency
from motia_django.triggers.intake import Intake
from motia_django.triggers.middleware import Chain, Handle, Middleware
from motia_django.triggers.policies import Policies
from motia_django.triggers.spellings import spelled
from motia_django.triggers.texts import TextSchema
from motia_django.triggers.written import ApiTrigger

logger = logging.getLogger("motia.http")

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_WITHOUT_BODY = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpTrigger(Trigger):
    """`{"type": "http", "method": "POST", "path": "/todos/:id", ...}`."""

    kind: ClassVar[str] = "http"

    method: str
    path: str
    body_schema: Schema | None = None
    query_schema: TextSchema | None = None
    params_schema: TextSchema | None = None
    headers_schema: TextSchema | None = None
    query_params: Mapping[str, str] = field(default_factory=dict)
    """What the query may hold, for people: names, each with its description."""
    intake: Intake = field(default_factory=Intake)
    policies: Policies = field(default_factory=Policies)
    response_schemas: Mapping[int, Schema] = field(default_factory=dict)
    middleware: tuple[Middleware, ...] = ()
    etag: ETag = False
    idempotency: Idempotency | None = None
    source: str = field(init=False, compare=False)
    is_plain: bool = field(init=False, compare=False)
    """Whether a request has neither a key nor a version to be asked for before the handler."""
    takes_body: bool = field(init=False, compare=False)
    """Whether the body is read: that of a GET only if the Step says what is in it."""
    parameters: tuple[str, ...] = field(init=False, compare=False)
    """The names of the `:name` segments, in order."""
    text_schemas: Mapping[str, TextSchema] = field(init=False, compare=False)
    """The schemas of what comes as text, by the part of the request that they are of."""

    def __post_init__(self) -> None:
        texts = {
            "params": self.params_schema,
            "query": self.query_schema,
            "headers": self.headers_schema,
        }
        parts = self.path.split("/") if self.path else ()  # it is None where it is no path
        names = tuple(part[1:] for part in parts if part.startswith(":"))
        known = {part: text for part, text in texts.items() if text is not None}
        derived = {
            "source": f"{self.method} {self.path}",
            "is_plain": self.idempotency is None and not callable(self.etag),
            "takes_body": self.body_schema is not None or self.method not in _WITHOUT_BODY,
            "parameters": names,
            "text_schemas": known,
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    @classmethod
    def read(cls, reader: Reader) -> HttpTrigger:
        """Read one entry of `triggers`; problems are noted in the reader."""
        method = reader.take("method", declarations.one_of(*METHODS), default="GET")
        return cls(
            method=method,
            path=reader.take("path", http_values.path),
            body_schema=reader.take("body_schema", schema, default=None),
            query_schema=reader.take("query_schema", TextSchema.declared, default=None),
            params_schema=reader.take("params_schema", TextSchema.declared, default=None),
            headers_schema=reader.take("headers_schema", TextSchema.declared, default=None),
            query_params=reader.take("query_params", http_values.described, default={}),
            intake=Intake.read(reader),
            policies=Policies.read(reader),
            response_schemas=reader.take("response_schema", http_values.by_status, default={}),
            middleware=reader.take("middleware", chain.taken, default=()),
            etag=take_etag(reader, method),
            idempotency=Idempotency.read(reader, method),
            condition=take_condition(reader),
            delivery=Delivery.read_answered(reader),
        )

    @property
    def schema(self) -> Schema | None:
        return self.body_schema

    def clean_input(self, raw: Request, subject: str) -> Request:
        """Return the request with each part as its schema gives it; all errors come at once."""
        if not self.text_schemas:
            return self._clean_body(raw, subject)
        errors: Errors = {}
        detail, cleaned = None, {}
        for part, clean in self._cleaners(raw):
            try:
                cleaned[part] = clean(getattr(raw, part), subject)
            except InvalidInput as error:
                detail = None if errors or part != "body" else error.detail
                errors |= error.errors if part == "body" else _under(part, error.errors)
        if errors:
            raise InvalidInput(subject, errors, detail)
        return with_parts(raw, cleaned) if cleaned else raw

    def _clean_body(self, raw: Request, subject: str) -> Request:
        if self.body_schema is None:
            return raw
        schema = self.body_schema
        if schema.asks_context:
            schema = schema.within(raw.serializer_context)
        return with_parts(raw, {"body": schema.clean(raw.body, subject)})

    def _cleaners(self, raw: Request) -> Iterator[tuple[str, Callable[[Any, str], Any]]]:
        """Yield each part of a request that has a schema, and what cleans it.

        Who invokes the Step by name has a body only.
        """
        context = raw.serializer_context
        for part, declared in self.text_schemas.items() if raw.raw is not None else ():
            text = declared.within(context)
            yield part, text.clean_headers if part == "headers" else text.clean
        if self.body_schema is not None:
            yield "body", self.body_schema.within(context).clean

    def clean_output(
        self, value: Any, subject: str, given: Any = None
    ) -> Response | HttpResponseBase:
        if value is None and isinstance(given, Request):
            value = written_by(given)
        usual = self._usual_output(value)
        if usual is not None:
            return usual
        if isinstance(value, HttpResponseBase) and not isinstance(value, RestResponse):
            self._refuse_parts(value.streaming, subject)
            return value
        response = answered(value, subject)
        self._refuse_parts(response.is_streamed, subject)
        if response.is_streamed:
            return response
        declared = self.response_schemas.get(response.status)
        body = response.body
        if declared is not None:
            context = given.serializer_context if isinstance(given, Request) else {}
            body = _fitting(declared.within(context), response, subject)
        elif not response.is_raw:
            body = encoded(body, given) if isinstance(value, RestResponse) else payloads.plain(body)
        if isinstance(value, RestResponse):
            value.data = body
            return value
        return Response(body, status=response.status, headers=response.headers)

    def _usual_output(self, value: Any) -> Response | None:
        """Return the answer that a plain `{"status": ..., "body": ...}` is; None for any other."""
        if self.response_schemas or type(value) is not dict or len(value) != 2:
            return None
        status: Any = value.get("status")
        body = value.get("body")
        if not isinstance(body, dict) or not is_status(status):
            return None
        return Response(payloads.plain(body), status=int(status))

    def _refuse_parts(self, is_streamed: bool, subject: str) -> None:
        if is_streamed and self.idempotency is not None:
            text = "what is sent part by part cannot be kept for an Idempotency-Key"
            raise InvalidResponse(f"The result of {subject}", {"": [text]})

    def answer(
        self, handle: Handle, given: Request, context: Callable[[bool], Any], subject: str
    ) -> Response | HttpResponseBase:
        if not self.middleware:
            found: Response | HttpResponseBase = handle(given)
            return found

        def check(value: Any) -> Response | HttpResponseBase:
            return self.clean_output(value, subject, given)

        whole = Chain(middleware=self.middleware, context=context, handle=handle, check=check)
        answer: Response | HttpResponseBase = whole.answer(given)
        return answer

    def is_open(self, answer: Response | HttpResponseBase) -> bool:
        return isinstance(answer, Response) and answer.is_streamed

    def input_for(self, data: Any) -> Request:
        return Request(method=self.method, path=self.path, body=data)

    def status_of(self, error: Exception) -> int | None:
        match error:
            case APIException():
                status = int(error.status_code)
                return status if status < HTTPStatus.INTERNAL_SERVER_ERROR else None
            case Http404():
                return HTTPStatus.NOT_FOUND.value
            case PermissionDenied():
                return HTTPStatus.FORBIDDEN.value
            case BadRequest():
                return HTTPStatus.BAD_REQUEST.value
        return None


@spelled()
def http(
    method: str,
    path: str,
    *,
    body_schema: Any = None,
    query_schema: Any = None,
    params_schema: Any = None,
    headers_schema: Any = None,
    response_schema: Mapping[int, Any] | None = None,
    middleware: Sequence[Any] | None = None,
    etag: Any = None,
    idempotency: bool | Mapping[str, Any] | None = None,
    authentication: Any = None,
    permissions: Any = None,
    throttles: Any = None,
    condition: Any = None,
    config: Mapping[str, Any] | None = None,
    **more: Any,
) -> ApiTrigger:
    """Declare an http trigger: `http("POST", "/todos", body_schema=NewTodo)`.

    `more` takes the other keys of an http trigger, such as `parsers` or `max_body_size`.
    """
    given = {
        "body_schema": body_schema,
        "query_schema": query_schema,
        "params_schema": params_schema,
        "headers_schema": headers_schema,
        "response_schema": response_schema,
        "middleware": middleware,
        "etag": etag,
        "idempotency": idempotency,
        "authentication": authentication,
        "permissions": permissions,
        "throttles": throttles,
        "condition": condition,
        "config": config,
        **more,
    }
    return ApiTrigger(method=method, path=path, **given)


api = http
"""The name that Motia 1.0-alpha had for it."""


def _under(part: str, errors: Errors) -> Errors:
    return {f"{part}.{path}" if path else part: messages for path, messages in errors.items()}


def _fitting(declared: Schema, response: Response, subject: str) -> Any:
    """Return the body by its schema; what one that breaks it becomes, the settings say."""
    try:
        return declared.dump(response.body, subject)
    except InvalidInput as error:
        broken = InvalidResponse(f"The {response.status} response of {subject}", error.errors)
    policy = settings().invalid_responses
    is_refused = django_settings.DEBUG and not declared.is_loose
    if policy == "error" or (policy == "debug" and is_refused):
        raise broken
    logger.error("%s; it was sent all the same", broken)
    return response.body if response.is_raw else payloads.plain(response.body)
