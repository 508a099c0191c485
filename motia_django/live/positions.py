"""Where a reader of the log has got to: all up to an id, but for some holes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from motia_django.live.holes import NONE, Holes

MOST_WRITTEN = 250
"""How many ranges of holes a token names; where there are more, nothing is resumed from it."""

_HOLE = r"\d{1,19}(?:-\d{1,19})?"
_TOKEN = re.compile(rf"(\d{{1,19}})(?:~({_HOLE}(?:\.{_HOLE})*))?")
_LONGEST = 20 + 40 * MOST_WRITTEN
_NO_END = 2**63


@dataclass(frozen=True, slots=True)
class Position:
    """Every event up to the id `upto` except those in `holes`.

    Ids are given out before they are committed, so that 5 may appear after 6 has been read: 5 is a
    hole until then, or, if its transaction was rolled back, for good.
    """

    upto: int = 0
    holes: Holes = NONE

    def covers(self, event: int) -> bool:
        """Return whether the event with this id is among them."""
        return event <= self.upto and event not in self.holes

    def with_seen(self, events: Iterable[int]) -> Position:
        """Return the position after these ids were seen at once; what they skip is a hole."""
        upto, holes = self.upto, self.holes
        for event in sorted(events):
            if event <= upto:
                holes = holes.filled(event)
                continue
            if event > upto + 1:
                holes = holes.followed_by(upto + 1, event - 1)
            upto = event
        return Position(upto, holes)

    def without(self, given_up: Holes) -> Position:
        """Return this position with these, the oldest of its holes, given up."""
        return Position(self.upto, Holes(self.holes.ranges[len(given_up) :]))

    def union(self, other: Position) -> Position:
        """Return the position that covers what either covers."""
        low, high = sorted((self, other), key=lambda each: each.upto)
        missing = [*low.holes.ranges, (low.upto + 1, _NO_END)]
        return Position(high.upto, high.holes.within(missing))

    @property
    def oldest_missing(self) -> int:
        """The lowest id that is not covered."""
        return self.holes.ranges[0][0] if self.holes else self.upto + 1

    @property
    def token(self) -> str:
        """The position as a client is given it: `1042`, or with holes, so far back, `1042~9-5.2`.

        Where there are too many holes to name, one that is always missing stands for all of them.
        """
        if not self.holes:
            return str(self.upto)
        return _written(self) if len(self.holes) <= MOST_WRITTEN else f"{self.upto}~{self.upto}"

    @classmethod
    def from_token(cls, token: str) -> Position | None:
        """Read a token; return None for what is none."""
        found = _TOKEN.fullmatch(token) if token.isascii() and len(token) <= _LONGEST else None
        if found is None or int(found[1]) >= _NO_END:
            return None
        upto = int(found[1])
        ranges = tuple(_range(upto, each) for each in found[2].split(".")) if found[2] else ()
        ends = [0, *(each for both in ranges for each in both), upto]
        in_order = all(one <= other for one, other in pairwise(ends))
        apart = all(one[1] < other[0] for one, other in pairwise(ranges))
        is_good = in_order and apart and len(ranges) <= MOST_WRITTEN
        return cls(upto, Holes(ranges)) if is_good else None


def _range(upto: int, written: str) -> tuple[int, int]:
    first, _, last = written.partition("-")
    return upto - int(first), upto - int(last or first)


@lru_cache(maxsize=256)
def _written(position: Position) -> str:
    """Write a token; every follower of an event needs the same one."""
    upto = position.upto
    holes = [
        f"{upto - first}" if first == last else f"{upto - first}-{upto - last}"
        for first, last in position.holes.ranges
    ]
    return f"{upto}~{'.'.join(holes)}"
