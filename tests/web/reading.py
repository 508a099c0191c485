"""Answers that are read part by part, as a server of plain WSGI or of ASGI reads them."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine
from typing import Any

from asgiref.sync import SyncToAsync, ThreadSensitiveContext, sync_to_async
from django.test import AsyncClient, Client


class Reading:
    """A request whose answer is read part by part; to be closed."""

    def __init__(self, server: str, path: str = "/x", method: str = "get", **headers: str) -> None:
        self._loop = _Loop() if server == "asgi" else None
        client: Any = (AsyncClient if self._loop else Client)(raise_request_exception=False)
        asked = getattr(client, method)(path, headers=headers)
        self.response: Any = self._loop.run(asked) if self._loop else asked
        parts = aiter if self._loop else iter
        self._parts: Any = parts(self.response) if self.streamed else None

    @property
    def streamed(self) -> bool:
        """Whether the answer comes part by part."""
        return bool(self.response.streaming)

    def next(self) -> bytes:
        """Return the next part."""
        return bytes(self._loop.run(anext(self._parts)) if self._loop else next(self._parts))

    def rest(self) -> list[bytes]:
        """Return all parts that are left, to the end."""
        return self._loop.run(self._all()) if self._loop else list(self._parts)

    def forget(self) -> None:
        """Drop the answer without reading or closing it."""
        self._parts = self.response = None
        if self._loop is not None:
            self._loop.close()

    def close(self) -> None:
        """Go away, as a server has it that finds its client gone."""
        if self._loop is None:
            self.response.close()
            return
        if self._parts is not None:
            self._loop.run(self._parts.aclose())
        self._loop.run(sync_to_async(self.response.close)())
        self._loop.close()

    async def _all(self) -> list[bytes]:
        return [part async for part in self._parts]


class _Loop:
    """An event loop, and a thread for what is plain, as each request of ASGI has one of Django."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = ThreadSensitiveContext()
        self._context = contextvars.copy_context()
        self._context.run(SyncToAsync.thread_sensitive_context.set, self._thread)

    def run(self, awaited: Any) -> Any:
        async def wait() -> Any:
            return await awaited

        coroutine: Coroutine[Any, Any, Any] = wait()
        task = self._loop.create_task(coroutine, context=self._context)
        return self._loop.run_until_complete(task)

    def close(self) -> None:
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()
        executor: Any = SyncToAsync.context_to_thread_executor.pop(self._thread, None)
        if executor is not None:
            executor.shutdown()
