"""How far the hub has read: what was seen, which holes are left, and when to ask for each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from motia_django.live import frames
from motia_django.live.frames import Frame
from motia_django.live.holes import NONE, Holes
from motia_django.live.log import LATE, YOUNG, Event
from motia_django.live.positions import MOST_WRITTEN, Position

MOST_HOLES = 5000
"""How many ranges of holes are remembered; of more, the newest."""

_BETWEEN = 10.0
"""Seconds between two times that older holes are asked for."""
_GRAIN = 1.0
"""Seconds within which holes are taken for equally old."""
_MOST_GIVEN_UP = 1000


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
    unless there are more than a token can name, and at once if a wake-up names it. One that was
    given up is still heard if a wake-up names it.
    """

    def __init__(self, position: Position, clock: Callable[[], float] = time.monotonic) -> None:
        self.position = position
        self._clock = clock
        self._asked = clock()
        self._named: set[int] = set()
        self._given_up = NONE
        self._last: tuple[int, datetime] | None = None
        """What was read last, and when that was written; None while that is not known."""
        self._marks = [(position.upto, clock())]
        """Which ids had been reached when; so a hole is as old as the first that is beyond it."""

    def name(self, events: Iterable[int]) -> None:
        """Take the ids that a wake-up names."""
        known = (self.position.holes, self._given_up)
        self._named.update(each for each in events if any(each in holes for holes in known))

    def holes_to_ask(self) -> Holes:
        """Return the holes that are to be asked for by now."""
        now = self._clock()
        all_of_them = now - self._asked >= _BETWEEN
        if all_of_them:
            self._asked = now
        old = 0 if all_of_them else self._reached(now - YOUNG.total_seconds())
        ranges = {each for each in self.position.holes.ranges if each[1] > old}
        for holes in (self.position.holes, self._given_up):
            ranges.update(each for each in map(holes.around, self._named) if each is not None)
        self._named.clear()
        return Holes(tuple(sorted(ranges)))

    def take(self, found: Sequence[Event]) -> list[Heard]:
        """Note what was read; return it in order, each with the position after it."""
        heard = []
        for event in found:
            if self.position.covers(event.id) and event.id not in self._given_up:
                continue
            self._note(event.id)
            if event.id == self.position.upto:
                self._last = event.id, event.created_at
            tail = frames.changed(event.stream, event.group, event.item, event.kind, event.data)
            heard.append(Heard(event, Frame(tail), self.position))
        return heard

    def is_of(self, written: datetime | None) -> bool:
        """Return whether it is this log that was read, told when it wrote what was read last.

        That is there, since the newest event always stays, and was written once.
        """
        if written is None:
            return False
        here = self.position.upto, written
        before, self._last = self._last, here
        return before is None or before[0] != here[0] or before == here

    def expire(self) -> bool:
        """Give up the holes that are too old; return whether there were any."""
        if not self.position.holes:
            self._marks.clear()
            return False
        now = self._clock()
        old = self._reached(now - LATE.total_seconds())
        if len(self.position.holes) > MOST_WRITTEN:
            old = self._reached(now - YOUNG.total_seconds())
        return self._give_up(self.position.holes.below(old))

    def _note(self, event: int) -> None:
        before = self.position
        self.position = before.with_seen([event])
        self._given_up = self._given_up.filled(event)
        if event <= before.upto:
            self.name([event + 1])  # the rest of what has just been committed
        elif event > before.upto + 1:
            self._mark()
        if len(self.position.holes) > MOST_HOLES:
            self._give_up(self.position.holes.split(MOST_HOLES)[0])

    def _mark(self) -> None:
        now = self._clock()
        if self._marks and now - self._marks[-1][1] < _GRAIN:
            now = self._marks.pop()[1]
        self._marks.append((self.position.upto, now))

    def _reached(self, time: float) -> int:
        """Return which id had been reached before some time."""
        return max((upto for upto, since in self._marks if since < time), default=0)

    def _give_up(self, oldest: Holes) -> bool:
        if not oldest:
            return False
        self.position = self.position.without(oldest)
        self._given_up = Holes((*self._given_up.ranges, *oldest.ranges)).split(_MOST_GIVEN_UP)[1]
        missing = self.position.oldest_missing
        self._marks = [each for each in self._marks if each[0] > missing]
        return True
