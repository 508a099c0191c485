"""How far the hub has read: what was seen, which holes are left, and when to ask for each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from motia_django.live import frames
from motia_django.live.frames import Frame
from motia_django.live.log import LATE, Event
from motia_django.live.positions import Position

_YOUNG = 60.0
"""Seconds for which a hole is asked for at each reading."""
_BETWEEN = 10.0
"""Seconds between two times that older holes are asked for."""
_MOST_GIVEN_UP = 10_000


@dataclass(frozen=True, slots=True)
class Heard:
    """An event that was read, and its frame, written once for all who follow."""

    event: Event
    frame: Frame
    position: Position
    """How far the log has been read with it."""


class Reading:
    """The state of reading the log in order, though ids do not appear in theirs.

    A hole is asked for at each reading for a minute, then now and then for a quarter of an hour,
    and at once if a wake-up names it. One that was given up is still heard if a wake-up names it.
    """

    def __init__(self, position: Position, clock: Callable[[], float] = time.monotonic) -> None:
        self.position = position
        self._clock = clock
        self._ages = dict.fromkeys(position.holes, clock())
        self._asked = clock()
        self._named: set[int] = set()
        self._given_up: dict[int, None] = {}

    def name(self, events: Iterable[int]) -> None:
        """Take the ids that a wake-up names."""
        self._named.update(each for each in events if each in self._ages or each in self._given_up)

    def holes_to_ask(self) -> list[int]:
        """Return the holes that are to be asked for by now."""
        now = self._clock()
        all_of_them = now - self._asked >= _BETWEEN
        if all_of_them:
            self._asked = now
        young = {each for each, since in self._ages.items() if all_of_them or now - since < _YOUNG}
        young |= self._named
        self._named.clear()
        return sorted(young)

    def take(self, found: Sequence[Event]) -> list[Heard]:
        """Note what was read; return it in order, each with the position after it."""
        heard = []
        for event in found:
            if self.position.covers(event.id) and event.id not in self._given_up:
                continue
            self._note(event.id)
            tail = frames.changed(event.stream, event.group, event.item, event.kind, event.data)
            heard.append(Heard(event, Frame(tail), self.position))
        return heard

    def expire(self) -> bool:
        """Give up the holes that are too old; return whether there were any."""
        if not self._ages:
            return False
        before = self._clock() - LATE.total_seconds()
        old = [each for each, since in self._ages.items() if since < before]
        self.position = self.position.without(old)
        self._give_up(old)
        return bool(old)

    def _note(self, event: int) -> None:
        before = self.position
        self.position = before.with_seen([event])
        self._ages.pop(event, None)
        self._given_up.pop(event, None)
        if self.position.holes is before.holes or len(self._ages) == len(self.position.holes):
            return
        now = self._clock()
        for hole in self.position.holes - before.holes:
            self._ages[hole] = now
        self._give_up(each for each in before.holes - self.position.holes if each != event)

    def _give_up(self, holes: Iterable[int]) -> None:
        for hole in list(holes):
            self._ages.pop(hole, None)
            self._given_up[hole] = None
        while len(self._given_up) > _MOST_GIVEN_UP:
            self._given_up.pop(next(iter(self._given_up)))
