"""What followers are sent: Motia's frames, written once for all, the time put in for each."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import NamedTuple

from motia_django import payloads
from motia_django.live.access import Subscription

_HEAD = '{"type":"stream","timestamp":'


class Message(NamedTuple):
    """A frame as one connection is sent it."""

    text: str
    """The frame's JSON, in one line."""
    position: str | None
    """What to resume from after it; None while that is not possible yet."""
    joined: frozenset[Subscription]
    """What its connection followed by then."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame without its time, which every connection puts in by itself."""

    tail: str
    """Its JSON, from behind the time."""

    def at(self, timestamp: str) -> str:
        """Return the whole frame."""
        return f"{_HEAD}{timestamp}{self.tail}"


class Clock:
    """The times of one connection's frames: milliseconds, each later than the one before.

    Clients drop a frame that is not newer than the last. So these have three decimals, which is
    about what a JavaScript number has room for, and never run ahead of the machine's clock for
    longer than so many microseconds as there were frames in one.
    """

    def __init__(self) -> None:
        self._last = 0

    def tick(self) -> str:
        """Return the next time, as JSON."""
        self._last = max(time.time_ns() // 1000, self._last + 1)
        return f"{self._last // 1000}.{self._last % 1000:03}"


def changed(stream: str, group: str, item: str | None, kind: str, data: str) -> str:
    """Return the tail of a frame that tells one event of the log; `data` is JSON."""
    key = "event" if kind == "event" else "data"
    return _tail(stream, group, item, f'{{"type":"{kind}","{key}":{data}}}')


def sync(stream: str, group: str, item: str | None, data: str) -> str:
    """Return the tail of a frame that tells how things are; `data` is JSON."""
    return _tail(stream, group, item, f'{{"type":"sync","data":{data}}}')


def unauthorized(stream: str, group: str, item: str | None) -> str:
    """Return the tail of a frame that refuses a subscription."""
    return _tail(stream, group, item, '{"type":"unauthorized"}')


def _tail(stream: str, group: str, item: str | None, event: str) -> str:
    names = payloads.dumps({"streamName": stream, "groupId": group, "id": item})
    return f',{names[1:-1]},"event":{event}}}'
