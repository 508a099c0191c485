"""What an http Step may answer: what its handler does, and what is refused before it is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any

from drf_spectacular.plumbing import modify_media_types_for_versioning
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import SAFE_METHODS, AllowAny
from rest_framework.settings import api_settings
from rest_framework.views import APIView, exception_handler

from motia_django.openapi.components import Components
from motia_django.schemas import SerializerSchema
from motia_django.triggers import HttpTrigger
from motia_django.web.idempotency import REPLAYED
from motia_django.web.responses import WITHOUT_BODY
from motia_django.web.views import TRACE_HEADER

_REFUSAL = {
    "type": "object",
    "properties": {"detail": {"type": "string"}},
    "required": ["detail"],
}
_INVALID = {
    "type": "object",
    "description": "What is wrong, by the path of each field; `detail` if it could not be read.",
    "properties": {"detail": {"type": "string"}},
    "additionalProperties": {"type": "array", "items": {"type": "string"}},
    "examples": [{"title": ["This field is required."]}],
}
_SKIPPED = {
    "type": "object",
    "properties": {"error": {"type": "string"}, "skipped": {"type": "boolean", "const": True}},
    "required": ["error", "skipped"],
}
_WHO_MAY_NOT = {
    HTTPStatus.UNAUTHORIZED: "Who asks did not say who they are, or not so that it is believed.",
    HTTPStatus.FORBIDDEN: "Who asks may not.",
}
_TRACED = {
    TRACE_HEADER: {
        "description": "The trace that all runs belong to which this request led to.",
        "schema": {"type": "string"},
    }
}
_RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds until the next request may be made.",
        "schema": {"type": "integer"},
    }
}
_REPLAYED = {
    REPLAYED: {
        "description": "There if this is the answer to an earlier request with the same key.",
        "schema": {"type": "string", "enum": ["true"]},
    }
}
_VERSION = {
    "ETag": {
        "description": "The version of what is answered.",
        "schema": {"type": "string"},
    }
}
_CHALLENGE = {
    "WWW-Authenticate": {
        "description": "How to say who asks.",
        "schema": {"type": "string"},
    }
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One status that may be answered, and with what: `{}` is any body, None is none."""

    status: int
    text: str
    schema: Mapping[str, Any] | None
    headers: Mapping[str, Any] = field(default_factory=dict)


def responses(
    trigger: HttpTrigger, view: APIView, media_types: Sequence[str], components: Components
) -> dict[str, Any]:
    """Return the responses of an operation.

    A Step that declares no answer, or has middleware, may answer anything with any status.
    """
    is_open = not trigger.response_schemas or bool(trigger.middleware)
    refusals = [
        replace(each, schema={"anyOf": [each.schema, {}]}) if is_open and each.schema else each
        for each in _refusals(trigger, view, components)
    ]
    answers = [*_declared(trigger, components), *refusals]
    if len(media_types) > 1 and api_settings.URL_FORMAT_OVERRIDE:
        said = _said("Refusal", _REFUSAL, components)
        answers.append(Answer(status=404, text="There is no such format.", schema=said))
    by_status: dict[int, list[Answer]] = {}
    for answer in sorted(answers, key=lambda each: each.status):
        by_status.setdefault(answer.status, []).append(answer)
    formats = modify_media_types_for_versioning(view, list(media_types))
    found = {str(status): _response(many, formats) for status, many in by_status.items()}
    if is_open:
        who = "Step" if not trigger.response_schemas else "Step's middleware"
        found["default"] = {"description": f"What the {who} answers.", "headers": _TRACED}
    return found


def _response(answers: Sequence[Answer], media_types: Sequence[str]) -> dict[str, Any]:
    """Return the response of one status, which may come of several causes."""
    headers = {name: each for answer in answers for name, each in answer.headers.items()}
    bodies = [answer.schema for answer in answers if answer.schema is not None]
    unlike = [each for place, each in enumerate(bodies) if each not in bodies[:place]]
    schema = unlike[0] if len(unlike) == 1 else {"anyOf": unlike}
    return {
        "description": " ".join(answer.text for answer in answers),
        **({"headers": headers} if headers else {}),
        **({"content": {each: {"schema": schema} for each in media_types}} if bodies else {}),
    }


def _declared(trigger: HttpTrigger, components: Components) -> Iterator[Answer]:
    for status, schema in trigger.response_schemas.items():
        body = None if status in WITHOUT_BODY else components.of(schema, "response")
        headers = _TRACED | (_REPLAYED if trigger.idempotency else {})
        yield Answer(status=status, text=_phrase(status), schema=body, headers=headers)


def _refusals(trigger: HttpTrigger, view: APIView, components: Components) -> Iterator[Answer]:
    """Yield what is answered before the handler is asked, or in its place."""
    plain = _said("Refusal", _REFUSAL, components)
    invalid = _said("InvalidRequest", _INVALID, components)
    yield Answer(status=400, text="The request is invalid.", schema=invalid)
    if isinstance(trigger.body_schema, SerializerSchema):  # its errors are nested as its fields
        yield Answer(status=400, text="The serializer says why.", schema={})
    yield from _of_policies(view, plain)
    yield from _of_versions(trigger)
    if trigger.parameters and HTTPStatus.NOT_FOUND not in trigger.response_schemas:
        yield Answer(status=404, text="There is no such thing.", schema={})
    yield Answer(status=406, text="None of the formats that are accepted.", schema=plain)
    if trigger.takes_body:
        yield Answer(status=413, text="The body, or a file in it, is too large.", schema=invalid)
        yield Answer(status=415, text="A format that is not taken.", schema=plain)
    if trigger.condition is not None:
        skipped = _said("ConditionNotMet", _SKIPPED, components)
        yield Answer(status=422, text="The condition is not met.", schema=skipped, headers=_TRACED)
    if trigger.idempotency is not None:
        text = "A request with this key is being worked on."
        yield Answer(status=409, text=text, schema=plain, headers=_RETRY_AFTER)
        yield Answer(status=422, text="The key came before, with something else.", schema=plain)


def _of_versions(trigger: HttpTrigger) -> Iterator[Answer]:
    """Yield what is answered to conditions such as `If-None-Match`."""
    if not trigger.etag:
        return
    if trigger.method in ("GET", "HEAD"):
        yield Answer(status=304, text="It is as it was.", schema=None, headers=_VERSION)
    yield Answer(status=412, text="It is no longer as it was.", schema=None)


def _of_policies(view: APIView, schema: Mapping[str, Any]) -> Iterator[Answer]:
    for status in _statuses_of_who_may_not(view):
        headers = _CHALLENGE if status == HTTPStatus.UNAUTHORIZED else {}
        text = _WHO_MAY_NOT[status]
        yield Answer(status=status, text=text, schema=schema, headers=headers)
    if view.get_throttles():
        text = "Too many requests."
        yield Answer(status=429, text=text, schema=schema, headers=_RETRY_AFTER)


def _statuses_of_who_may_not(view: APIView) -> list[HTTPStatus]:
    """Return 401, 403, both or none, as REST framework's views choose between them."""
    authenticators = view.get_authenticators()
    header = view.get_authenticate_header(view.request)
    unknown = HTTPStatus.UNAUTHORIZED if header else HTTPStatus.FORBIDDEN
    statuses: set[HTTPStatus] = set()
    for each in authenticators:
        if not isinstance(each, SessionAuthentication):
            statuses.add(unknown)
        elif view.request.method not in SAFE_METHODS:  # it asks for the CSRF token
            statuses.add(HTTPStatus.FORBIDDEN)
    if any(type(each) is not AllowAny for each in view.get_permissions()):
        statuses |= {HTTPStatus.FORBIDDEN, *([unknown] if authenticators else ())}
    return sorted(statuses)


def _said(name: str, schema: Mapping[str, Any], components: Components) -> Mapping[str, Any]:
    """Return what REST framework says; if the project says it otherwise, it may be anything."""
    if api_settings.EXCEPTION_HANDLER is not exception_handler:
        return {}
    return components.named(name, schema)


def _phrase(status: int) -> str:
    try:
        return f"{HTTPStatus(status).phrase}."
    except ValueError:
        return "What the Step answers."
