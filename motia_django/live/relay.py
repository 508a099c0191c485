"""Who follows what on one event loop, and the handing out of what the hub has read."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Protocol

from motia_django.live.pictures import Camera
from motia_django.live.positions import Position
from motia_django.live.reading import Heard
from motia_django.live.reviews import Reviews

Key = tuple[str, str, str | None]
"""Stream, group, and the item or None for all of the group."""


class Follower(Protocol):
    """What is registered with a relay."""

    def hear(self, heard: Heard) -> None:
        """Take an event of something that it follows."""

    def begin_anew(self) -> None:
        """Take it that the log is another: no place in the one before means anything in it."""


class Relay:
    """Hands out events on its event loop; only used there."""

    def __init__(self, position: Position | None = None) -> None:
        self.position = position
        """How far the hub has read what was handed out here; None before it began."""
        self.users = 0
        """How many have entered and not left; counted by the hub."""
        self.camera = Camera()
        self.reviews = Reviews()
        self.settling = asyncio.Semaphore(2)
        """Of the threads, whoever was undecided and is asked about again leaves some to others."""
        self._followers: dict[Key, dict[Follower, None]] = {}
        self._begun = asyncio.Event()
        if position is not None:
            self._begun.set()

    def add(self, key: Key, follower: Follower) -> None:
        """Let a follower hear of what belongs to this key from now on."""
        self._followers.setdefault(key, {})[follower] = None

    def remove(self, key: Key, follower: Follower) -> None:
        """Let a follower hear no more of it."""
        followers = self._followers.get(key, {})
        followers.pop(follower, None)
        if not followers:
            self._followers.pop(key, None)

    async def ready(self, patience: float) -> Position:
        """Return how far the log has been read, once it has; raise `TimeoutError`."""
        async with asyncio.timeout(patience):
            await self._begun.wait()
        assert self.position is not None
        return self.position

    def deliver(self, batch: Iterable[Heard], position: Position, is_anew: bool = False) -> None:
        """Hand out events that were read, each to a follower once; or begin with another log."""
        for heard in batch:
            for follower in self._of(heard):
                follower.hear(heard)
        self.position = position
        self._begun.set()
        if is_anew:
            self.camera = Camera()  # whoever waits for a picture has it taken from a place before
            for follower in {each: None for some in self._followers.values() for each in some}:
                follower.begin_anew()

    def _of(self, heard: Heard) -> list[Follower]:
        event = heard.event
        whole = self._followers.get((event.stream, event.group, None), {})
        if event.item is None:
            return list(whole)
        one = self._followers.get((event.stream, event.group, event.item), {})
        return list({**whole, **one}) if one else list(whole)
