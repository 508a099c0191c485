"""Following as a door does it, and a client that keeps a picture as Motia's do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, TypeVar, cast

from django.contrib.auth.models import AnonymousUser, User
from django.db import connections

from motia_django.live.access import Auth, Subscription
from motia_django.live.following import Following
from motia_django.live.frames import Message

T = TypeVar("T")
PATIENCE = 20.0

GROUP = Subscription.checked("orders", "g")


def item(name: str, stream: str = "orders", group: str = "g") -> Subscription:
    """Return a subscription to an item."""
    return Subscription.checked(stream, group, name)


def anybody() -> Auth:
    """Return somebody who is not logged in."""
    return Auth(user=AnonymousUser(), request=cast(Any, SimpleNamespace()))


def somebody(pk: int) -> Auth:
    """Return a user of this number."""
    return Auth(user=User(pk=pk), request=cast(Any, SimpleNamespace()))


async def away(function: Callable[..., T], *args: Any) -> T:
    """Call something in another thread, on connections of its own."""

    def called() -> T:
        try:
            return function(*args)
        finally:
            connections.close_all()

    return await asyncio.to_thread(called)


async def hear(following: Following, number: int = 1, patience: float = PATIENCE) -> list[Message]:
    """Wait for this many messages; fail if there are more or fewer."""
    messages: list[Message] = []
    async with asyncio.timeout(patience):
        while len(messages) < number:
            messages += await following.messages(patience)
    assert len(messages) == number, messages
    return messages


async def nothing_more(following: Following, seconds: float = 0.5) -> None:
    """Assert that no message comes for some time."""
    assert await following.messages(seconds) == []


def told(message: Message) -> tuple[str, Any]:
    """Return the kind of a message and what it carries."""
    event = json.loads(message.text)["event"]
    return event["type"], event.get("data", event.get("event"))


class Client:
    """What a browser knows: it applies frames in order, and drops none but old ones."""

    def __init__(self) -> None:
        self.items: dict[str, Any] = {}
        self.position: str | None = None
        self.heard: list[tuple[str, Any]] = []
        self.synced = 0
        self._time = 0.0

    def take(self, message: Message) -> None:
        """Apply a message to a group."""
        frame = json.loads(message.text)
        assert frame["timestamp"] > self._time
        self._time = frame["timestamp"]
        self.position = message.position or self.position
        kind, data = told(message)
        if kind == "sync":
            self.items = {each["id"]: each for each in data}
            self.synced += 1
            return
        self.heard.append((kind, data))
        if kind == "delete":
            self.items.pop(data["id"], None)
        elif kind != "event":
            self.items[data["id"]] = data
