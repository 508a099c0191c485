"""Answers that are sent part by part: the run lasts until the last, or until nobody reads on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from threading import Thread
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.core.signals import got_request_exception
from django.db import connections
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.datastructures import CaseInsensitiveMapping

from motia_django import payloads, runner, tracing
from motia_django.exceptions import Abandoned
from motia_django.live.threads import give_back_what_is_kept
from motia_django.runs import Outcome, Run
from motia_django.triggers.channel import ChannelParts
from motia_django.triggers.exchange import Response
from motia_django.triggers.sse import HEADERS, SentEvent, SentEvents, sse
from motia_django.web.parts import END, AsyncParts, Parts, parts_of, reader_of

_WENT_AWAY = "the client went away before the end"


class Sending(Parts):
    """The parts of one answer, in bytes, each made inside its run; at the end the run is kept."""

    def __init__(self, request: HttpRequest, run: Run, outcome: Outcome) -> None:
        assert isinstance(outcome.value, Response)
        assert outcome.scope is not None
        self.answer = outcome.value
        self.is_over = False
        body = self.answer.body
        self.are_events = isinstance(body, SentEvents)
        iterator: Iterator[Any] | AsyncIterator[Any] = (
            body.parts if isinstance(body, SentEvents) else body
        )
        self._parts = parts_of(iterator, is_asgi=is_asgi(request))
        self._first: list[Any] = []
        self.request, self._run, self._outcome = request, run, outcome
        self._scope = outcome.scope
        self._count = self._size = 0
        self._is_begun = False

    @property
    def own(self) -> Mapping[str, str]:
        """The headers of the handler."""
        return CaseInsensitiveMapping(self.answer.headers)

    def kind(self) -> Mapping[str, str]:
        """Return the headers that tell what kind of content it is.

        If the handler does not say it, its first part does. One that writes to a channel has said
        its status and its headers when it writes the first.
        """
        body, first = self.answer.body, None
        if isinstance(body, ChannelParts):
            first = self.first()
            self.answer = Response(body, status=body.channel.code, headers=body.channel.fields)
        if self.are_events or "Content-Type" in self.own:
            return HEADERS if self.are_events else {}
        return _kind_of(self.first() if first is None else first)

    def first(self) -> Any:
        """Make the first part before anything is sent, and return it; raise what it raises."""
        with tracing.entered(self._scope):
            self._first = [self._parts.next()]
        return self._first[0]

    def next(self) -> Any:
        try:
            with tracing.entered(self._scope):
                part = self._first.pop() if self._first else self._parts.next()
                written = self._sent(part)
        except BaseException as error:
            self._fail(error)
            raise
        if written is END:
            self._end()
        return written

    async def anext(self) -> Any:
        await self._begin()
        try:
            with tracing.entered(self._scope):
                part = self._first.pop() if self._first else await self._parts.anext()
                written = self._sent(part)
        except Exception as error:
            await sync_to_async(self._fail)(error)
            raise
        if written is END:
            await sync_to_async(self._end)()
        return written

    async def _begin(self) -> None:
        """Before the first part, give back what the request's own thread holds, if nobody needs it.

        What is plain needs the thread, and what was begun there may have a cursor open.
        """
        is_new, self._is_begun = not self._is_begun, True
        if is_new and not self._first and isinstance(self._parts, AsyncParts):
            await give_back_what_is_kept()

    def close(self) -> None:
        """End the run, if it is not over yet: whoever read this reads no more."""
        if not self.is_over:
            self._scope.timeline.add("note", message=_WENT_AWAY)
            self._end(_WENT_AWAY)

    def spare(self) -> None:
        """End the run without making a part, since only the headers were asked for."""
        self._end("only the headers were asked for")

    def failed(self, error: Exception) -> Outcome:
        """Return the outcome of a run that has failed, or answered by an exception, before all."""
        self.is_over = True
        self._close_parts()
        return runner.finished(self._run, self._outcome, error=error)

    def _sent(self, part: Any) -> Any:
        """Return a part as it is sent."""
        if part is END:
            return END
        written = _written(part, as_event=self.are_events)
        self._count += 1
        self._size += len(written)
        return written

    def _fail(self, error: BaseException) -> None:
        """End the run by an error: it is too late for another answer, so the client is cut off."""
        self._end("by an error", as_error(error))
        if isinstance(error, Exception):
            got_request_exception.send(sender=type(self), request=self.request)

    def _end(self, ended: str = "", error: Exception | None = None) -> None:
        if self.is_over:
            return
        self.is_over = True
        try:
            self._close_parts()
        except Exception as another:
            error = error or another
        sent = {"parts": self._count, "bytes": self._size} | ({"ended": ended} if ended else {})
        kept = {"status": self.answer.status, "headers": self.answer.headers, "body": sent}
        outcome = runner.finished(self._run, self._outcome, kept, error=error)
        runner.record(self._run, outcome)

    def _close_parts(self) -> None:
        with tracing.entered(self._scope):
            self._parts.close()


class StreamedAnswer(StreamingHttpResponse):
    """An answer that is sent part by part.

    Nobody closes one that was never sent, since the client went too soon or middleware failed.
    """

    def __init__(self, sending: Sending, **options: Any) -> None:
        self._sending = sending
        super().__init__(reader_of(sending, is_asgi=is_asgi(sending.request)), **options)

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Yield the parts; Django takes a `TypeError` of theirs for a sign that they are plain."""
        parts: Any = self.streaming_content if self.is_async else super().__aiter__()
        async for part in parts:
            yield part

    def __del__(self) -> None:
        if not self._sending.is_over:
            Thread(target=_closed, args=(self._sending,), name="motia-answer-unsent").start()


def begun(
    request: HttpRequest, run: Run, outcome: Outcome
) -> tuple[Outcome, HttpResponseBase | None]:
    """Begin to send what a run that is RUNNING answers; return its outcome and the response.

    If the handler does not say what kind of content it is, its first part does: it is made here,
    and what goes wrong until then is answered as any error is.
    """
    sending = Sending(request, run, outcome)
    if request.method == "HEAD":
        kind = HEADERS if sending.are_events else {}
        sending.spare()
        return outcome, _headed(HttpResponse(status=sending.answer.status), kind, sending.own)
    try:
        kind = sending.kind()
    except BaseException as error:
        if isinstance(error, asyncio.CancelledError) and is_asgi(request):
            sending.close()  # the client has gone while it waited
            raise
        return sending.failed(as_error(error)), None
    response = StreamedAnswer(sending, status=sending.answer.status)
    return outcome, _headed(response, kind, sending.own)


def is_asgi(request: HttpRequest) -> bool:
    """Return whether a server that speaks ASGI will read the response."""
    return isinstance(request, ASGIRequest)


def as_error(error: BaseException) -> Exception:
    """Return what ended a generator as an error that ends no more than its run."""
    if isinstance(error, Exception):
        return error
    return Abandoned.by(error)


def _headed(
    response: HttpResponseBase, kind: Mapping[str, str], own: Mapping[str, str]
) -> HttpResponseBase:
    """Give a response its headers: the handler's own go before ours."""
    if not kind and "Content-Type" not in own:
        del response.headers["Content-Type"]
    for name, text in {"X-Accel-Buffering": "no", **kind}.items():
        response.headers[name] = text
    for name, text in own.items():
        response.headers[name] = text
    return response


def _kind_of(part: Any) -> Mapping[str, str]:
    """Return the headers that tell what content begins with this part; none if there is no part."""
    if part is END:
        return {}
    if isinstance(part, SentEvent):
        return HEADERS
    if isinstance(part, bytes | bytearray | memoryview):
        return {"Content-Type": "application/octet-stream"}
    text = isinstance(part, str)
    return {"Content-Type": "text/plain; charset=utf-8" if text else "application/x-ndjson"}


def _written(part: Any, *, as_event: bool) -> bytes:
    """Return a part in bytes: bytes and text as they are, anything else as a line of JSON."""
    if isinstance(part, SentEvent):
        return part.text.encode()
    if isinstance(part, bytes | bytearray | memoryview):
        return bytes(part)
    if as_event:
        event: SentEvent = sse(part)
        return event.text.encode()
    text: str = part if isinstance(part, str) else f"{payloads.dumps(part)}\n"
    return text.encode()


def _closed(sending: Sending) -> None:
    try:
        sending.close()
    finally:
        connections.close_all()
