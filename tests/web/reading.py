"""Answers that are read part by part, as a server of plain WSGI or of ASGI reads them."""

from __future__ import annotations

import asyncio
from typing import Any

from asgiref.sync import sync_to_async
from django.test import AsyncClient, Client


class Reading:
    """A request whose answer is read part by part, by WSGI or by ASGI."""

    def __init__(self, server: str, path: str = "/x", method: str = "get", **headers: str) -> None:
        self.is_asgi = server == "asgi"
        self._loop = asyncio.new_event_loop() if self.is_asgi else None
        client: Any = (AsyncClient if self.is_asgi else Client)(raise_request_exception=False)
        asked = getattr(client, method)(path, headers=headers)
        self.response: Any = self._loop.run_until_complete(asked) if self._loop else asked
        self._parts: Any = (
            (aiter if self.is_asgi else iter)(self.response) if self.streamed else None
        )

    @property
    def streamed(self) -> bool:
        """Whether the answer comes part by part."""
        return bool(self.response.streaming)

    def next(self) -> bytes:
        """Return the next part."""
        if self._loop:
            return bytes(self._loop.run_until_complete(anext(self._parts)))
        return bytes(next(self._parts))

    def rest(self) -> list[bytes]:
        """Return all parts that are left, to the end."""
        if self._loop:
            return self._loop.run_until_complete(self._all())
        return list(self._parts)

    def forget(self) -> None:
        """Drop the answer without reading or closing it."""
        self._parts = self.response = None
        if self._loop is not None:
            self._loop.close()

    async def _all(self) -> list[bytes]:
        return [part async for part in self._parts]

    def close(self) -> None:
        """Go away, as a server has it that finds its client gone."""
        if self._loop is None:
            self.response.close()
            return
        if self._parts is not None:
            self._loop.run_until_complete(self._parts.aclose())
        self._loop.run_until_complete(self._closed())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _closed(self) -> None:
        await sync_to_async(self.response.close)()
