"""The channel that a handler of Motia 1.0 answers by: its status, its headers, and part by part."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Mapping
from typing import Any

from asgiref.sync import AsyncToSync

from motia_django.twofold import DONE, Done, collecting, finished


class Channel:
    """`request.response`: what is written to it is sent, if the handler returns nothing else.

    Write `response.status(200)`, `response.headers({...})`, `response.writer.stream.write(b"...")`
    and `response.close()`, awaited or not.
    """

    def __init__(self) -> None:
        self.code = 200
        """The status that was set."""
        self.fields: dict[str, str] = {}
        """The headers that were set."""
        self.parts: list[bytes] = []
        """What was written and is not sent yet."""
        self.is_used = False
        """Whether the answer is what is written here."""
        self.writer = Writer(self)

    def status(self, status_code: int) -> Done:
        """Set the status, before anything is written."""
        self.code, self.is_used = int(status_code), True
        return DONE

    def headers(self, headers: Mapping[str, str]) -> Done:
        """Set headers, before anything is written."""
        self.fields |= {str(name): str(text) for name, text in headers.items()}
        self.is_used = True
        return DONE

    def write(self, part: Any) -> Done:
        """Send bytes or text as they are, and anything else as JSON."""
        if isinstance(part, str):
            part = part.encode()
        elif not isinstance(part, bytes | bytearray | memoryview):
            part = json.dumps(part).encode()
        self.parts.append(bytes(part))
        self.is_used = True
        return DONE

    def close(self) -> Done:
        """Say that nothing more is written; so does a handler that returns."""
        self.is_used = True
        return DONE


class Writer:
    """`response.writer`: parts go to its `stream`."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.stream = self
        self.write = channel.write
        self.end = self.close = channel.close

    def send_message(self, message: str) -> Done:
        """Read what sets the status, `{"type": "set_status", "status_code": 201}`, or headers."""
        told = json.loads(message)
        if told.get("type") == "set_status":
            return self._channel.status(told["status_code"])
        return self._channel.headers(told.get("headers") or {})

    send_message_async = send_message


class ChannelParts(AsyncIterator[bytes]):
    """What a coroutine writes to a channel, as it is written: it goes on while the next is awaited.

    From first to last it is in one task, which timeouts and groups of tasks cancel. What it does in
    plain code is done in the thread of whoever reads just then.
    """

    def __init__(self, channel: Channel, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.channel = channel
        self._begin, self._is_over = work, False
        self._work: Coroutine[Any, Any, None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._asked: asyncio.Queue[tuple[Any, asyncio.Future[None]]] = asyncio.Queue()
        self._is_closing = False
        self._error: BaseException | None = None
        self._waits: list[Any] = []
        self._begun: dict[Any, None] = {}

    async def __anext__(self) -> bytes:
        if self._task is None:
            self._work = self._begin()
            self._task = asyncio.create_task(self._answer())
        made = asyncio.get_running_loop().create_future()
        self._asked.put_nowait((getattr(AsyncToSync.executors, "current", None), made))
        await made
        if not self.channel.parts:
            raise StopAsyncIteration
        return self.channel.parts.pop(0)

    async def aclose(self) -> None:
        """End the coroutine, wherever it is."""
        self._is_closing = True
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._work is not None:
            self._work.close()

    async def _answer(self) -> None:
        """Make a part each time that one is asked for."""
        while True:
            try:
                thread, made = await self._asked.get()
            except asyncio.CancelledError as error:
                if self._is_closing:
                    raise
                self._error = error  # for the coroutine, once it goes on: a time of its is up
                continue
            _work_in(thread)
            try:
                await _NextPart(self)
                await finished(self._begun, awaited=self._is_over)
            except BaseException as error:
                if made.done() or self._is_closing:
                    raise
                made.set_exception(error)
            else:
                if not made.done():
                    made.set_result(None)

    def go_on(self) -> Generator[Any, Any, None]:
        """Have the coroutine go on until it has written something, or is over."""
        assert self._work is not None
        if self._error is not None and self._waits:
            self._waits.clear()
            self._step(self._work.throw, self._error)
        self._error = None
        while True:
            if not self._waits and not self._is_over:
                self._step(self._work.send, None)
            if self.channel.parts or self._is_over:
                return
            try:
                yield self._waits.pop()
            except BaseException as error:
                if self._is_closing:
                    raise
                self._step(self._work.throw, error)

    def _step(self, step: Callable[[Any], Any], value: Any) -> None:
        try:
            with collecting(self._begun):
                self._waits.append(step(value))
        except StopIteration:
            self._is_over = True


def _work_in(thread: Any) -> None:
    """Have `sync_to_async` do in this thread what this task begins from now on."""
    if thread is not None:
        AsyncToSync.executors.current = thread
    elif hasattr(AsyncToSync.executors, "current"):
        del AsyncToSync.executors.current


class _NextPart:
    """What is awaited until there is another part, or none will come."""

    def __init__(self, parts: ChannelParts) -> None:
        self._parts = parts

    def __await__(self) -> Generator[Any, Any, None]:
        return self._parts.go_on()


class Body:
    """`request.request_body`: the body as it was sent, read part by part from its `stream`."""

    def __init__(self, text: bytes) -> None:
        self._text = text

    @property
    def stream(self) -> AsyncIterator[bytes]:
        """The body, part by part."""
        return self._parts()

    async def read_all(self) -> bytes:
        """Return the whole body."""
        return self._text

    async def _parts(self) -> AsyncIterator[bytes]:
        if self._text:
            yield self._text
