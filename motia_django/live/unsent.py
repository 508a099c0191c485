"""The frames that wait to be sent to one client: so many, and so long, and no more."""

from __future__ import annotations

import asyncio

from motia_django.live.access import Subscription
from motia_django.live.frames import Clock, Frame, Message

MOST_WAITING = 1000
"""Frames that may wait for a slow client, besides those that began its subscriptions."""
MOST_TEXT = 4_000_000
"""Characters that they may have."""


class Unsent:
    """What waits for one client, and whoever waits for that; only used on its event loop."""

    def __init__(self) -> None:
        self._clock = Clock()
        self._waiting: list[tuple[Frame, str | None, frozenset[Subscription]]] = []
        self._room, self._text = MOST_WAITING, MOST_TEXT
        self._waiter: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def make_room(self, frames: list[Frame]) -> None:
        """Let these wait besides what may."""
        self._room += len(frames)
        self._text += sum(len(frame.tail) for frame in frames)

    def put(self, frame: Frame, token: str | None, joined: frozenset[Subscription]) -> bool:
        """Let a frame wait; return whether there was room for it."""
        self._waiting.append((frame, token, joined))
        self._text -= len(frame.tail)
        self.wake()
        return len(self._waiting) <= self._room and self._text >= 0

    def take(self) -> list[Message]:
        """Return all that waits, to be sent."""
        taken, self._waiting = self._waiting, []
        self._room, self._text = MOST_WAITING, MOST_TEXT
        return [
            Message(frame.at(self._clock.tick()), token, joined) for frame, token, joined in taken
        ]

    def clear(self) -> None:
        """Keep nothing of it."""
        self._waiting.clear()

    async def wait(self, patience: float | None) -> None:
        """Wait until there is something, or `wake` is called, for so many seconds at most."""
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = None if patience is None else loop.call_later(patience, self.wake)
        try:
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    def wake(self) -> None:
        """End the waiting."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
