"""Ids that a reader of the log has passed over, as ranges: those of a long transaction are one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from operator import or_

from django.db.models import Q

Range = tuple[int, int]
"""The first id and the last."""

_NO_END = 2**64
_SHORT = 8
"""Ids up to which a range is short."""


@dataclass(frozen=True, slots=True)
class Holes:
    """A set of ids, as ranges in their order that do not overlap."""

    ranges: tuple[Range, ...] = ()

    @classmethod
    def of(cls, events: Iterable[int]) -> Holes:
        """Return the holes that are these ids."""
        ranges: list[Range] = []
        for event in sorted(set(events)):
            joined = bool(ranges) and ranges[-1][1] == event - 1
            first = ranges.pop()[0] if joined else event
            ranges.append((first, event))
        return cls(tuple(ranges))

    def __contains__(self, event: int) -> bool:
        return self.around(event) is not None

    def __len__(self) -> int:
        """Return how many ranges there are."""
        return len(self.ranges)

    def around(self, event: int) -> Range | None:
        """Return the range that an id is in."""
        place = self._place(event)
        found = self.ranges[place] if place >= 0 else None
        return found if found is not None and found[1] >= event else None

    def filled(self, event: int) -> Holes:
        """Return these without one id."""
        place = self._place(event)
        if place < 0 or self.ranges[place][1] < event:
            return self
        first, last = self.ranges[place]
        left = [each for each in ((first, event - 1), (event + 1, last)) if each[0] <= each[1]]
        return Holes((*self.ranges[:place], *left, *self.ranges[place + 1 :]))

    def followed_by(self, first: int, last: int) -> Holes:
        """Return these and a range that comes after all of them."""
        return Holes((*self.ranges, (first, last)))

    def below(self, event: int) -> Holes:
        """Return those that are lower than an id."""
        return self.within([(0, event - 1)])

    def within(self, others: Iterable[Range]) -> Holes:
        """Return the ids that are in one of other ranges, too, which are in their order."""
        return Holes(tuple(_common(iter(self.ranges), iter(others))))

    def split(self, most: int) -> tuple[Holes, Holes]:
        """Return the older ranges, and the newest, at most so many."""
        place = max(len(self.ranges) - most, 0)
        return Holes(self.ranges[:place]), Holes(self.ranges[place:])

    def wanted(self) -> Q:
        """Return the condition that an id is one of these.

        The ids of short ranges are listed: no database is quick at many ranges.
        """
        short: list[int] = []
        long: list[Range] = []
        for first, last in self.ranges:
            if last - first < _SHORT:
                short += range(first, last + 1)
            else:
                long.append((first, last))
        return reduce(or_, (Q(id__range=each) for each in long), Q(id__in=short))

    def _place(self, event: int) -> int:
        return bisect_right(self.ranges, (event, _NO_END)) - 1


NONE = Holes()


def _common(ours: Iterator[Range], theirs: Iterator[Range]) -> Iterator[Range]:
    one, other = next(ours, None), next(theirs, None)
    while one is not None and other is not None:
        first, last = max(one[0], other[0]), min(one[1], other[1])
        if first <= last:
            yield first, last
        if one[1] <= other[1]:
            one = next(ours, None)
        else:
            other = next(theirs, None)
