"""From REST framework's request to what an http Step is given."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict
from rest_framework.exceptions import APIException, ParseError

from motia_django import payloads
from motia_django.exceptions import PayloadError
from motia_django.triggers import HttpTrigger
from motia_django.triggers.exchange import Request
from motia_django.triggers.texts import form_of
from motia_django.web.incoming import IncomingRequest

_TOO_DEEP = "it is nested too deeply"
_LENGTH = re.compile("[0-9]{1,18}")


class TooLarge(APIException):
    """The body, or a file in it, is larger than the Step takes."""

    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"


def take_in(request: IncomingRequest, trigger: HttpTrigger) -> None:
    """Do what has to be done before authentication may read a form.

    Raise `TooLarge`, or `ParseError` for a character set that is none.
    """
    encoding = request._request.encoding
    if encoding is not None and not is_of_text(encoding):
        raise ParseError(f"charset: expected one of text, got {encoding!r:.100}.")
    if trigger.intake.max_body_size is not None:
        _check_size(request, trigger.intake.max_body_size)
    if trigger.intake.raw_body:
        _ = request._request.body


def read_request(request: IncomingRequest, trigger: HttpTrigger) -> Request:
    """Parse the request; raise `ParseError`, `UnsupportedMediaType`, or `TooLarge`."""
    intake = trigger.intake
    raw_body = request._request.body if intake.raw_body else None
    body = _body(request, trigger) if trigger.takes_body else None
    request.is_kept_as_sent = bool(body) and request.is_json
    if not request.is_kept_as_sent:
        request.kept_body = _copied(body)
    if intake.max_file_size is not None:
        _check_files(request.FILES, intake.max_file_size)
    return Request(
        method=request.method or trigger.method,
        path=request.path,
        params=request.params,
        query=_query(request),
        headers=request.headers,
        body=body,
        raw_body=raw_body,
        raw=request,
    )


@lru_cache(maxsize=64)
def is_of_text(encoding: str) -> bool:
    """Return whether bytes become text by it: Python has some that pack or unpack them, as zlib.

    Whoever names such a one would have the body unpacked, to whatever size.
    """
    try:
        b"a".decode(encoding)
    except UnicodeDecodeError:  # such as utf-16, which has no character of one byte
        return True
    except (LookupError, UnicodeError):
        return False
    return True


def refused(error: Exception) -> Exception:
    """Return what answers a request that is over a limit of Django's; other errors as they are.

    Left to Django it is answered by a page, 400, whatever format the client asked for.
    """
    if isinstance(error, RequestDataTooBig):
        return TooLarge("The body is larger than is accepted here.")
    if isinstance(error, TooManyFieldsSent):
        return ParseError("There are more fields than are accepted here.")
    if isinstance(error, TooManyFilesSent):
        return ParseError("There are more files than are accepted here.")
    return error


def recorded(request: IncomingRequest, masks: tuple[str, ...]) -> Callable[[], dict[str, Any]]:
    """Return what says, when it is asked, what the history keeps of a request: all as it came.

    Then JSON is parsed once more, which takes a tenth of the time of a copy in Python. What is
    taken of the request is taken now, and nothing else of it is held. The path is without the
    secrets that are masked in its parameters when they are written.
    """
    params = request.params
    parts = {
        "method": request.method,
        "path": masked_path(request.path, params, masks),
        "params": params,
        "query": _query(request),
        "headers": request.headers.as_dict(),
        "body": request.kept_body,
    }
    if not request.is_kept_as_sent:
        return lambda: parts
    sent = request._request.body
    return lambda: {**parts, "body": payloads.read_again(sent)}


def masked_path(path: str, params: Mapping[str, str], masks: tuple[str, ...]) -> str:
    """Return a path with a mask in the place of each parameter that has the name of a secret."""
    shown = payloads.masked(params, masks) if params else params
    for name, value in params.items():
        if shown[name] != value:
            path = path.replace(value, shown[name])
    return path


def _query(request: IncomingRequest) -> dict[str, Any]:
    return _flat(request.query_params) if request.META.get("QUERY_STRING") else {}


def _copied(body: Any) -> Any:
    """Return a body as the history keeps it, which nobody else holds."""
    if body is None or isinstance(body, QueryDict):
        return _without_files(body)
    try:
        return payloads.plain(body)
    except PayloadError:
        return _without_files(body)


def _without_files(body: Any) -> Any:
    """Return a body with what is known of each file, and of bytes, in their place."""
    if isinstance(body, QueryDict):
        body = _flat(body)
    if isinstance(body, dict):
        return {key: _without_files(value) for key, value in body.items()}
    if isinstance(body, list):
        return [_without_files(each) for each in body]
    if isinstance(body, bytes):
        return f"{len(body)} bytes"
    if not isinstance(body, UploadedFile):
        return body
    return {"file": body.name, "size": body.size, "contentType": body.content_type}


def _check_size(request: IncomingRequest, most: int) -> None:
    """Raise `TooLarge` before the body is parsed; one without a length is read to know it."""
    length = str(request.META.get("CONTENT_LENGTH") or "")
    if length and not _LENGTH.fullmatch(length):
        raise ParseError("Content-Length: expected a number of bytes.")
    size = int(length) if length else len(request._request.body)
    if size > most:
        raise TooLarge(f"The body has {size} bytes, and at most {most} are accepted here.")


def _check_files(files: Any, most: int) -> None:
    for name, many in files.lists():
        for each in many:
            if each.size > most:
                text = f"The file has {each.size} bytes, and at most {most} are accepted here."
                raise TooLarge({name: [text]})


def _body(request: IncomingRequest, trigger: HttpTrigger) -> Any:
    """Return the parsed body; where there is none, an empty object if the Step expects one."""
    try:
        data = request.data
        if not (request.is_json or isinstance(data, QueryDict) or _is_json(data)):
            _refuse_what_json_lacks(_without_files(data))
    except RecursionError as error:
        raise ParseError(f"JSON parse error - {_TOO_DEEP}") from error
    except UnicodeError as error:
        raise ParseError(f"Form parse error - {error}") from error
    if isinstance(data, QueryDict):
        data = _form(data, trigger)
    if data or _has_content(request):
        return data
    return {} if trigger.body_schema is not None else None


def _form(values: QueryDict, trigger: HttpTrigger) -> dict[str, Any]:
    """Return a form with numbers, booleans and lists where the body's schema asks for them."""
    if trigger.body_schema is not None and trigger.body_schema.reads_forms:
        return values
    flat = _flat(values)
    form = form_of(trigger.body_schema) if trigger.body_schema is not None else None
    return flat if form is None else form.coerced(flat)


def _is_json(body: Any) -> bool:
    """Return whether a body can be written as it is: writing it is faster than looking into it."""
    if isinstance(body, QueryDict):
        return False
    try:
        payloads.dumps(body)
    except PayloadError:
        return False
    return True


def _refuse_what_json_lacks(data: Any) -> None:
    """Raise `ParseError` for lone surrogates and infinities, which Python's parser lets pass."""
    try:
        payloads.dumps(data)
    except PayloadError as error:
        raise ParseError(f"JSON parse error - {_what_json_lacks(error)}") from error


def _what_json_lacks(error: PayloadError) -> str:
    """Return why a body cannot be written as JSON, without the body, which may be large."""
    cause = str(error.__cause__)
    if "Recursion" in cause:
        return _TOO_DEEP
    return "there is half a character in it, a lone surrogate" if "UTF-8" in cause else str(error)


def _has_content(request: IncomingRequest) -> bool:
    length = request.META.get("CONTENT_LENGTH") or 0
    return str(length) != "0" or bool(request.META.get("HTTP_TRANSFER_ENCODING"))


def _flat(values: QueryDict) -> dict[str, Any]:
    """Return a string, or a file, for each key; a list of them where the key repeats."""
    return {key: many[0] if len(many) == 1 else list(many) for key, many in values.lists()}
