"""From what an http Step answers to Django's responses, and from errors to REST framework's."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from http import HTTPStatus
from typing import Any

from asgiref.sync import markcoroutinefunction, sync_to_async
from django.http import HttpResponse, HttpResponseBase
from django.template.response import SimpleTemplateResponse
from django.utils.datastructures import CaseInsensitiveMapping
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response as RestResponse
from rest_framework.settings import api_settings

from motia_django import payloads
from motia_django.exceptions import InvalidInput, PayloadError
from motia_django.triggers.exchange import Response
from motia_django.twofold import is_in_loop
from motia_django.web.incoming import IncomingRequest

WITHOUT_BODY = (HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT, HTTPStatus.NOT_MODIFIED)


class JsonAnswer(RestResponse):
    """What REST framework's own JSON renderer would say, written faster."""

    def __init__(self, data: Any, status: int, headers: Mapping[str, str] | None = None) -> None:
        HttpResponseBase.__init__(
            self, content_type=JSONRenderer.media_type, status=status, headers=headers
        )
        self.data, self.exception, self.content_type = data, False, None
        # What its other classes would begin with, but without a content that is there in vain.
        nothing: Any = None
        self.template_name = self.context_data = self.using = self._request = nothing
        self._post_render_callbacks: list[Any] = []
        self._container: list[bytes] = []
        self._is_rendered = False

    def negotiated(self, request: IncomingRequest, context: dict[str, Any]) -> None:
        """Take from the request how it is to be rendered, as REST framework's views have it."""
        self.accepted_renderer = request.accepted_renderer
        self.accepted_media_type = request.accepted_media_type
        self.renderer_context = context

    @markcoroutinefunction
    def render(self) -> Any:
        """Write the data; for any other renderer, and what it alone can write, as ever.

        Under ASGI Django would go to a thread and back for it, which takes longer than all of the
        Step. Told that this is async, it awaits what is done already.
        """
        if self._is_rendered or self._is_written_at_once():
            return self
        return sync_to_async(super().render)() if is_in_loop() else super().render()

    def __await__(self) -> Generator[Any, None, JsonAnswer]:
        """Give itself to who awaits its rendering."""
        yield from ()
        return self

    def _is_written_at_once(self) -> bool:
        """Write plain data that nobody waits for; return False if there is more to it."""
        if self._post_render_callbacks or not self._is_plain():
            return False
        try:
            self._container = [payloads.dump(self.data)]
        except PayloadError:
            return False
        self._is_rendered = True
        return True

    def _is_plain(self) -> bool:
        """Return whether REST framework's own renderer is asked for compact JSON in UTF-8."""
        renderer: Any = self.accepted_renderer
        return (
            type(renderer) is JSONRenderer
            and self.accepted_media_type == JSONRenderer.media_type
            and renderer.compact
            and not renderer.ensure_ascii
            and self.data is not None
        )


def set_known_headers(response: HttpResponseBase, headers: Mapping[str, str]) -> None:
    """Give a response headers of ours, which are ASCII on one line.

    They are stored as Django stores them, which would look at each character of each once more.
    """
    store: Any = response.headers._store
    for name, text in headers.items():
        store[name.lower()] = name, text


class ConditionNotMet(exceptions.APIException):
    """The trigger's condition refused the request."""

    status_code = HTTPStatus.UNPROCESSABLE_ENTITY
    default_code = "condition_not_met"

    def __init__(self) -> None:
        super().__init__()
        self.detail = {"error": "Request condition not met", "skipped": True}  # type: ignore[dict-item]


def written(response: Response | HttpResponseBase) -> HttpResponseBase:
    """Return the response that goes out, in the format of the client's choice unless raw."""
    if isinstance(response, HttpResponseBase):
        if isinstance(response, SimpleTemplateResponse) and not isinstance(response, RestResponse):
            response.render()
        return response
    if response.status in WITHOUT_BODY:
        return _empty(response)
    body = response.body
    is_raw = type(body) is not dict and response.is_raw
    has_type = bool(response.headers) and "Content-Type" in CaseInsensitiveMapping(response.headers)
    if not (is_raw or has_type):
        return JsonAnswer(body, status=response.status, headers=response.headers)
    if not is_raw:
        body = payloads.dumps(body)  # JSON under a content type of the handler's choice
    answer = HttpResponse(body, status=response.status, headers=response.headers)
    if not has_type:
        answer.headers["Content-Type"] = "application/octet-stream"
    return answer


def _empty(response: Response) -> HttpResponse:
    """Return the response to a status that has no body; it has a content type only if asked to."""
    empty = HttpResponse(status=response.status, headers=response.headers)
    if "Content-Type" not in CaseInsensitiveMapping(response.headers):
        del empty.headers["Content-Type"]
    return empty


def told(answer: Any) -> Any:
    """Return an answer as the history keeps it: what it says, but not the bytes of files."""
    if isinstance(answer, Response):
        status, headers, body = answer.status, answer.headers, answer.body
    elif isinstance(answer, RestResponse):
        status, headers, body = answer.status_code, answer.headers, answer.data
    elif isinstance(answer, HttpResponseBase):
        status, headers = answer.status_code, answer.headers
        body = answer.content if isinstance(answer, HttpResponse) else "streamed"
    else:
        return answer
    if isinstance(body, bytes):
        body = f"{len(body)} bytes"
    return {"status": status, "headers": dict(headers), "body": body}


def bad_request(error: InvalidInput) -> exceptions.ValidationError:
    """Return the 400 that names each field's errors: as its serializer does, or by its path."""
    if error.detail is not None:
        return exceptions.ValidationError(error.detail)
    whole = api_settings.NON_FIELD_ERRORS_KEY
    return exceptions.ValidationError({path or whole: text for path, text in error.errors.items()})
