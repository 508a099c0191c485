"""What comes part by part, as a web server reads it: plain or async, whatever it is itself.

Django collects what is plain for an ASGI server, and what is async for a WSGI server, before it
sends the first byte.
"""

from __future__ import annotations

import asyncio
import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Future
from threading import Thread
from typing import Any, TypeVar

from asgiref.sync import SyncToAsync, async_to_sync, sync_to_async
from django.http import StreamingHttpResponse

from motia_django.twofold import finishing

T = TypeVar("T")

END: Any = object()
"""Stands where there are no more parts."""


class Parts(ABC):
    """An iterator that is read part by part, from plain code or from async."""

    @abstractmethod
    def next(self) -> Any:
        """Return the next part, or `END`."""

    async def anext(self) -> Any:
        """Return the next part, or `END`; for ASGI only."""
        return await sync_to_async(self.next)()

    @abstractmethod
    def close(self) -> None:
        """End it, wherever it is; from plain code."""


class PlainParts(Parts):
    """A plain iterator; an ASGI server has it advanced in its request's own thread."""

    def __init__(self, parts: Iterator[Any]) -> None:
        self._parts = parts

    def next(self) -> Any:
        return next(self._parts, END)

    def close(self) -> None:
        getattr(self._parts, "close", lambda: None)()


class AsyncParts(Parts):
    """An async iterator on the loop of its ASGI server."""

    def __init__(self, parts: AsyncIterator[Any]) -> None:
        self._parts = parts

    def next(self) -> Any:
        return async_to_sync(self.anext)()

    async def anext(self) -> Any:
        return await finishing(anext(self._parts, END))

    def close(self) -> None:
        async_to_sync(self._close)()

    async def _close(self) -> None:
        close = getattr(self._parts, "aclose", None)
        if close is not None:
            await close()


class LoopParts(AsyncParts):
    """An async iterator under WSGI: it has a loop of its own, in a thread, from first to last.

    What it does in plain code, through `sync_to_async`, happens in the thread of its reader all the
    same: Django's ORM finds the connection that it had in the request.
    """

    _loop: asyncio.AbstractEventLoop | None = None
    _stop: Callable[[], object]
    _thread: Thread

    def next(self) -> Any:
        return self._on_loop(self.anext)

    def close(self) -> None:
        """End it, with all the tasks that it has left."""
        if self._loop is None:
            return
        try:
            self._on_loop(self._close)
        finally:
            self._loop.call_soon_threadsafe(self._stop)
            self._thread.join()
            self._loop = None

    def _on_loop(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Have the loop await something: asgiref takes it for the one that this thread is of."""
        if self._loop is None:
            self._loop = self._started()
        here = SyncToAsync.threadlocal
        before = (
            getattr(here, "main_event_loop", None),
            getattr(here, "main_event_loop_pid", None),
        )
        here.main_event_loop, here.main_event_loop_pid = self._loop, os.getpid()
        try:
            return async_to_sync(function)()
        finally:
            here.main_event_loop, here.main_event_loop_pid = before

    def _started(self) -> asyncio.AbstractEventLoop:
        loop: Future[asyncio.AbstractEventLoop] = Future()

        async def live() -> None:
            over = asyncio.Event()
            self._stop = over.set
            loop.set_result(asyncio.get_running_loop())
            await over.wait()

        self._thread = Thread(
            target=lambda: asyncio.run(live()), name="motia-answer-loop", daemon=True
        )
        self._thread.start()
        return loop.result()


class Reader:
    """Parts as a WSGI server reads them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        part = self._parts.next()
        if part is END:
            raise StopIteration
        return part

    def close(self) -> None:
        """End them, as servers do with whatever they have read, and Django with what it has not."""
        self._parts.close()


class AsyncReader:
    """Parts as an ASGI server reads them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        part = await self._parts.anext()
        if part is END:
            raise StopAsyncIteration
        return part

    def close(self) -> None:
        """End them: Django closes a response in its request's own thread, whoever ends it."""
        self._parts.close()


def parts_of(iterator: Iterator[Any] | AsyncIterator[Any], *, is_asgi: bool) -> Parts:
    """Return the parts of an iterator, as this kind of server can read them."""
    if isinstance(iterator, AsyncIterator):
        return AsyncParts(iterator) if is_asgi else LoopParts(iterator)
    return PlainParts(iterator)


def reader_of(parts: Parts, *, is_asgi: bool) -> Reader | AsyncReader:
    """Return what this kind of server reads parts from."""
    return AsyncReader(parts) if is_asgi else Reader(parts)


def fit(response: StreamingHttpResponse, *, is_asgi: bool) -> None:
    """Have a response of Django's, such as a file, be sent part by part by this kind of server."""
    if response.is_async is not is_asgi:
        parts = parts_of(response.streaming_content, is_asgi=is_asgi)
        response.streaming_content = reader_of(parts, is_asgi=is_asgi)
