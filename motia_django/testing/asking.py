"""Requests of a test, by REST framework's test client, and the answers that come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch
from urllib.parse import unquote

from django.core.signals import request_finished
from django.db import close_old_connections
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from django.urls import NoReverseMatch, Resolver404, reverse
from django.utils.http import urlencode
from rest_framework.test import APIClient

from motia_django import payloads
from motia_django.exceptions import StartsNothing, WorkerLost, did_you_mean
from motia_django.registry import registry
from motia_django.steps import Step
from motia_django.testing.commits import commit
from motia_django.testing.failures import Gone
from motia_django.triggers import HttpTrigger
from motia_django.web.views import TRACE_HEADER

NOT_GIVEN: Any = object()
Body = tuple[bytes | str, str]
"""What is sent, and its content type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a request was answered."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    """The body; of an answer that was sent part by part, all of it."""
    error: BaseException | None
    """What a handler, or anything else on the way, raised that became a 500."""
    response: Any
    """Django's own response."""

    @property
    def text(self) -> str:
        """The body as text."""
        return self.content.decode()

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return payloads.loads(self.content)

    @property
    def trace_id(self) -> str | None:
        """The trace that the request began."""
        return self.headers.get(TRACE_HEADER)

    def __repr__(self) -> str:
        return f"<Answer {self.status}: {self.content[:500].decode(errors='replace')}>"


class OpenAnswer(Iterator[bytes]):
    """What a request is answered, read part by part, as far as the test wants to.

    Whoever closes it before its end, as `with` does, is a client that has gone. A part that fails
    raises what it failed by.
    """

    def __init__(self, response: Any) -> None:
        self.status: int = response.status_code
        """The HTTP status."""
        self.headers: Mapping[str, str] = response.headers
        """The headers."""
        self.response = response
        """Django's own response."""
        self._parts: Iterator[bytes] = iter(response)

    @property
    def trace_id(self) -> str | None:
        """The trace that the request began."""
        return self.headers.get(TRACE_HEADER)

    def __next__(self) -> bytes:
        return next(self._parts)

    def __enter__(self) -> OpenAnswer:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Read no more; what is not over yet ends here."""
        if not self.response.closed:
            with patch.object(request_finished, "send", _told_but_connections):
                self.response.close()
        commit()


def ask(client: APIClient, method: str, path: str, **sent: Any) -> Answer:
    """Send a request as `respond` does, and return the whole answer."""
    response = respond(client, method, path, **sent)
    return Answer(
        status=response.status_code,
        headers=response.headers,
        content=response.getvalue() if response.streaming else response.content,
        error=error_of(response),
        response=response,
    )


def respond(
    client: APIClient,
    method: str,
    path: str,
    *,
    body: Body,
    query: Mapping[str, Any] | None,
    headers: Mapping[str, str] | None,
) -> Any:
    """Send a request through the project's URLs, and return Django's response.

    Raise `StartsNothing` if none has its path.
    """
    asked: Any = client
    asked.raise_request_exception = False
    address = (
        f"{path}{'&' if '?' in path else '?'}{urlencode(query, doseq=True)}" if query else path
    )
    try:
        response = asked.generic(method.upper(), address, *body, headers=dict(headers or {}))
    except Gone:
        raise WorkerLost("the process that was to answer is gone") from None
    if response.status_code == 404 and not _is_routed(response):
        raise StartsNothing(_unknown(method.upper(), path))
    return response


_tell = request_finished.send


def _told_but_connections(sender: Any, **named: Any) -> Any:
    """Tell of a request's end, but close no connection: it is the test's (Django's client, too)."""
    request_finished.disconnect(close_old_connections)
    try:
        return _tell(sender, **named)
    finally:
        request_finished.connect(close_old_connections)


def error_of(response: Any) -> BaseException | None:
    """Return what was raised that became a 500."""
    raised = getattr(response, "exc_info", None)
    return raised[1] if raised else None


def client_of(user: Any, own: APIClient) -> APIClient:
    """Return the client by which this user asks; for None it is the test's own."""
    if user is None:
        return own
    client = APIClient()
    client.force_authenticate(user)
    return client


def body_of(
    json: Any = NOT_GIVEN,
    form: Mapping[str, Any] | None = None,
    body: bytes | str = b"",
    content_type: str = "",
) -> Body:
    """Return what is sent, and as what: JSON, a form with its files, or bytes as they are."""
    if json is not NOT_GIVEN:
        return payloads.dumps(json), content_type or "application/json"
    if form is not None:
        return encode_multipart(BOUNDARY, dict(form)), MULTIPART_CONTENT
    return body, content_type or ("application/octet-stream" if body else "")


def _is_routed(response: Any) -> bool:
    """Return whether the project's URLs have anything for the path."""
    try:
        return bool(response.resolver_match.func)
    except Resolver404:
        return False


def _unknown(method: str, path: str) -> str:
    """Say which routes there are."""
    mounted = sorted({route for step in registry() for route in _routes(step)})
    wanted = f"{method} {path.partition('?')[0]}"
    known = "".join(f"\n    {each}" for each in mounted) or "\n    none"
    return (
        f"No URL of the project is for {wanted!r}.{did_you_mean(wanted, mounted)}"
        f" The Steps answer:{known}"
    )


def _routes(step: Step) -> Iterator[str]:
    """Yield the routes of a Step as the project has them, such as `GET /api/todos/:id`."""
    triggers = step.http_triggers
    for trigger in triggers:
        yield f"{trigger.method} {_mount(step, triggers)}{trigger.path}"


def _mount(step: Step, triggers: list[HttpTrigger]) -> str:
    """Return what stands before the paths of a Step, without a slash at its end."""
    names = {name: f":{name}" for name in triggers[0].parameters}
    try:
        found = unquote(reverse(f"motia:{step.url_name}", kwargs=names))
    except NoReverseMatch:
        return ""
    ends = [each.path for each in triggers if found.endswith(each.path)]
    return found.removesuffix(max(ends, key=len)) if ends else ""
