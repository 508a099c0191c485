"""A request to the project's own URLs, answered in this process as if a browser had sent it.

It goes through the project's whole handler, every middleware included, with the cookies, the
address and the proxy's headers of the operator's own request. So whoever asks is who he is, and
gets what he would get from the same address in his browser.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from queue import Empty, Queue
from typing import Any

from django.conf import settings as django_settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import connections
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.utils.encoding import iri_to_uri
from django.utils.translation import gettext as _

from motia_django import recording
from motia_django.timeline import Entry

SECONDS = 25.0
"""How long an answer is waited for: web servers commonly give up on a request after 30."""
READING = 0.8
"""The part of that time after which no more of a body is read: it may never end."""
MOST_BYTES = 100_000
"""Of an answer's body that are read."""
OWN_HEADERS = (
    "Accept",
    "Accept-Language",
    "Authorization",
    "Idempotency-Key",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Unmodified-Since",
    "Prefer",
    "traceparent",
    "tracestate",
)
"""The headers that may be typed. Others may be those by which a proxy says who asks, or from where:
it takes them out of requests from outside, and nobody would take them out of this one."""

_AT_ONCE = threading.BoundedSemaphore(4)
"""So many wait at once. Who has given up waiting holds no place, even if his request goes on."""
_SAME = ("REMOTE_ADDR", "REMOTE_HOST", "REMOTE_PORT", "REMOTE_USER", "SCRIPT_NAME", "HTTPS")
_SERVER = ("SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL")
_OF_THE_FORM = (
    "HTTP_ACCEPT",
    "HTTP_CONTENT_LENGTH",
    "HTTP_CONTENT_TYPE",
    "HTTP_RANGE",
    "HTTP_TRANSFER_ENCODING",
    "HTTP_TRACEPARENT",
    "HTTP_TRACESTATE",
    "HTTP_X_REQUESTED_WITH",
)
"""Headers of the operator's own request that are about the admin's page."""


class NoAnswer(Exception):
    """There is no answer to show, and why."""

    is_sent = True
    """Whether the request may have had effects."""


class NotSent(NoAnswer):
    """There is no answer, since nothing was asked."""

    is_sent = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be sent."""

    method: str
    path: str
    """From the project's root on, unquoted."""
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    phrase: str
    headers: list[tuple[str, str]]
    body: bytes
    is_cut: bool
    """Whether there was more of the body than was read."""
    seconds: float

    def header(self, name: str) -> str:
        """Return a header, or an empty text."""
        return next((text for each, text in self.headers if each.lower() == name.lower()), "")


def ask(own: HttpRequest, asked: Asked, note: Entry) -> Answer:
    """Send a request as whoever sent `own`, and wait for its answer; raise `NoAnswer`.

    `note` is what its run's timeline begins with.

    It is answered in a thread, with database connections of its own, since nobody can be made to
    stop: one that takes longer than `SECONDS` goes on, and its answer is lost.
    """
    environ = _environ(own, asked)
    if not _AT_ONCE.acquire(blocking=False):
        raise NotSent(_("Others are still waiting for answers: try again in a moment."))
    answers: Queue[Answer | Exception] = Queue()
    name = f"motia-admin-{asked.method}"
    until = time.monotonic() + SECONDS * READING
    thread = threading.Thread(target=_answer, args=(environ, until, answers, note), name=name)
    thread.daemon = True
    try:
        thread.start()
        found = answers.get(timeout=SECONDS)
    except Empty:
        text = _(
            "There was no answer within %d seconds. The request goes on, and may have effects."
        )
        raise NoAnswer(text % SECONDS) from None
    finally:
        _AT_ONCE.release()
    if isinstance(found, Exception):
        raise NoAnswer(_("The project's handler failed: %r") % found) from found
    return found


def _answer(
    environ: dict[str, Any], until: float, answers: Queue[Answer | Exception], note: Entry
) -> None:
    try:
        with recording.by_hand(note):
            answers.put(_answered(environ, until))
    except Exception as error:
        answers.put(error)
    finally:
        connections.close_all()


def _answered(environ: dict[str, Any], until: float) -> Answer:
    began = time.monotonic()
    head: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        head.append((status, headers))

    response = WSGIHandler()(environ, start_response)
    try:
        body, is_cut = _read(response, until)
    finally:
        response.close()
    [(status, headers)] = head
    number, _space, phrase = status.partition(" ")
    return Answer(
        status=int(number),
        phrase=phrase,
        headers=list(headers),
        body=body,
        is_cut=is_cut,
        seconds=time.monotonic() - began,
    )


def _read(chunks: Iterable[bytes], until: float) -> tuple[bytes, bool]:
    body = b""
    for chunk in chunks:
        body += chunk
        if len(body) > MOST_BYTES or time.monotonic() > until:
            return body[:MOST_BYTES], True
    return body, False


def _environ(own: HttpRequest, asked: Asked) -> dict[str, Any]:
    """Return a WSGI environment: the sender's of `own`, the rest as asked."""
    environ = {key: value for key, value in own.META.items() if _stays(key)}
    environ |= {_variable(name): text for name, text in asked.headers.items()}
    environ[django_settings.CSRF_HEADER_NAME] = get_token(own)
    return environ | {
        "REQUEST_METHOD": asked.method,
        "PATH_INFO": asked.path.encode(errors="replace").decode("latin1"),
        "QUERY_STRING": iri_to_uri(asked.query),
        "CONTENT_TYPE": "application/json" if asked.body else "",
        "CONTENT_LENGTH": str(len(asked.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": own.scheme or "http",
        "wsgi.input": BytesIO(asked.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }


def _stays(key: str) -> bool:
    is_header = key.startswith("HTTP_") and not key.startswith("HTTP_IF_")
    return key in _SAME or key in _SERVER or (is_header and key not in _OF_THE_FORM)


def _variable(header: str) -> str:
    return f"HTTP_{header.upper().replace('-', '_')}"
