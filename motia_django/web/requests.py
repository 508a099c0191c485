"""From REST framework's request to what an http Step is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict
from rest_framework.exceptions import ParseError
from rest_framework.request import Request as RestRequest

from motia_django import payloads
from motia_django.exceptions import PayloadError
from motia_django.triggers import HttpTrigger
from motia_django.triggers.exchange import Request


def read_request(request: RestRequest, trigger: HttpTrigger, params: Mapping[str, str]) -> Request:
    """Parse the request; raise REST framework's `ParseError` or `UnsupportedMediaType`."""
    return Request(
        method=request.method or trigger.method,
        path=request.path,
        params=dict(zip(trigger.parameters, params.values(), strict=True)),
        query=_flat(request.query_params),
        headers=request.headers,
        body=_body(request, trigger),
        raw=request,
    )


def recorded(request: Request) -> dict[str, Any]:
    """Return the request as the history keeps it."""
    return {
        "method": request.method,
        "path": request.path,
        "params": request.params,
        "query": request.query,
        "headers": dict(request.headers),
        "body": request.body,
    }


def _body(request: RestRequest, trigger: HttpTrigger) -> Any:
    """Return the parsed body; where there is none, an empty object if the Step expects one."""
    try:
        data = request.data
    except RecursionError as error:
        raise ParseError("JSON parse error - it is nested too deeply") from error
    if not isinstance(data, QueryDict):
        _refuse_what_json_lacks(data)
    if isinstance(data, QueryDict):
        data = _flat(data)
    if data or _has_content(request):
        return data
    return {} if trigger.body_schema is not None else None


def _refuse_what_json_lacks(data: Any) -> None:
    """Raise `ParseError` for lone surrogates and infinities, which Python's parser lets pass."""
    try:
        payloads.dumps(data)
    except PayloadError as error:
        raise ParseError(f"JSON parse error - {error}") from error


def _has_content(request: RestRequest) -> bool:
    length = request.META.get("CONTENT_LENGTH") or 0
    return str(length) != "0" or bool(request.META.get("HTTP_TRANSFER_ENCODING"))


def _flat(values: QueryDict) -> dict[str, str | list[str]]:
    """Return a string for each key, a list where the key repeats."""
    return {
        key: many[0] if len(many) == 1 else [str(each) for each in many]
        for key, many in values.lists()
    }
