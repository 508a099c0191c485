"""Requests with conditions, by `ETag` and `Last-Modified`: RFC 9110, section 13, by Django."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.utils.cache import get_conditional_response, set_response_etag
from django.utils.http import http_date, parse_http_date_safe, quote_etag
from rest_framework.response import Response as RestResponse

from motia_django import calls
from motia_django.exceptions import InvalidResponse
from motia_django.triggers import HttpTrigger
from motia_django.triggers.exchange import Request

_SAFE = ("GET", "HEAD")


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What there is before the handler is called, as the trigger's `etag` function says."""

    etag: str | None = None
    modified: int | None = None
    """Seconds since 1970."""

    def spares(self, request: HttpRequest) -> HttpResponseBase | None:
        """Return the 304 or the 412 that makes the handler superfluous, if it is."""
        response = get_conditional_response(
            request, etag=self.etag, last_modified=self.modified, response=None
        )
        return None if response is None else self.told(request, response)

    def told(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Return an answer to GET that names its version, unless it names one itself."""
        if request.method in _SAFE and response.status_code in (200, 304):
            if self.etag is not None:
                response.headers.setdefault("ETag", self.etag)
            if self.modified is not None:
                response.headers.setdefault("Last-Modified", http_date(self.modified))
        return response


def version_of(trigger: HttpTrigger, request: Request) -> Version | None:
    """Ask the trigger's function for the version that there is; None if it has no function."""
    if not callable(trigger.etag):
        return None
    said = calls.call(trigger.etag, *(request,)[: calls.arity(trigger.etag, 1)])
    if isinstance(said, datetime):
        return Version(modified=int(said.timestamp()))
    if said is not None and not isinstance(said, str):
        text = f"expected text, a datetime or None, got {said!r:.100}"
        raise InvalidResponse(f"The etag of {trigger.source}", {"": [text]})
    return Version(etag=quote_etag(said) if said else None)


def judged(
    request: HttpRequest, response: HttpResponseBase, trigger: HttpTrigger
) -> HttpResponseBase:
    """Return an answer, or, to GET and HEAD of a Step with `etag`, what its conditions make of it.

    One that is still to be rendered is judged when it is.
    """
    if not trigger.etag or request.method not in _SAFE or response.status_code != 200:
        return response
    judge = _judge(request, of_the_body=trigger.etag is True)
    if isinstance(response, RestResponse) and not response.is_rendered:
        response.add_post_render_callback(judge)
        return response
    return judge(response)


def _judge(
    request: HttpRequest, *, of_the_body: bool
) -> Callable[[HttpResponseBase], HttpResponseBase]:
    def judge(response: Any) -> HttpResponseBase:
        if of_the_body and "ETag" not in response and "no-store" not in _cache_control(response):
            set_response_etag(response)
        judged = get_conditional_response(
            request,
            etag=response.get("ETag"),
            last_modified=parse_http_date_safe(response.get("Last-Modified", "")),
            response=response,
        )
        if judged is not response:
            judged._resource_closers += response._resource_closers  # type: ignore[union-attr]
        return response if judged is None else judged

    return judge


def _cache_control(response: HttpResponseBase) -> str:
    return response.headers.get("Cache-Control", "").lower()
