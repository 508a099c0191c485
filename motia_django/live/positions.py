"""Where a reader of the log has got to: all up to an id, but for some holes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

MOST_HOLES = 1000
"""How many holes are remembered; of more, the newest."""
MOST_WRITTEN = 64
"""How many holes a token names; of more, the newest."""

_TOKEN = re.compile(r"(\d{1,19})(?:~(\d{1,19}(?:\.\d{1,19})*))?")
_LONGEST = 20 * (MOST_WRITTEN + 1)


@dataclass(frozen=True, slots=True)
class Position:
    """Every event up to the id `upto` except those in `holes`.

    Ids are given out before they are committed, so that 5 may appear after 6 has been read: 5 is a
    hole until then, or, if its transaction was rolled back, for good.
    """

    upto: int = 0
    holes: frozenset[int] = frozenset()

    def covers(self, event: int) -> bool:
        """Return whether the event with this id is among them."""
        return event <= self.upto and event not in self.holes

    def with_seen(self, events: Iterable[int]) -> Position:
        """Return the position after these ids were seen at once; what they skip is a hole."""
        seen = set(events)
        newest = max(seen, default=0)
        if newest <= self.upto:
            left = self.holes - seen
            return self if len(left) == len(self.holes) else Position(self.upto, left)
        first = max(self.upto + 1, newest - MOST_HOLES)
        holes = (self.holes - seen).union(each for each in range(first, newest) if each not in seen)
        return Position(newest, _newest(holes, MOST_HOLES))

    def without(self, holes: Iterable[int]) -> Position:
        """Return this position with these holes given up."""
        return Position(self.upto, self.holes.difference(holes))

    def union(self, other: Position) -> Position:
        """Return the position that covers what either covers."""
        low, high = sorted((self, other), key=lambda each: each.upto)
        holes = frozenset(each for each in high.holes if not low.covers(each))
        return Position(high.upto, holes)

    @property
    def oldest_missing(self) -> int:
        """The lowest id that is not covered."""
        return min(self.holes, default=self.upto + 1)

    @property
    def token(self) -> str:
        """The position as a client is given it: `1042`, or with holes `1042~1037.1040`."""
        return _written(self)

    @classmethod
    def from_token(cls, token: str) -> Position | None:
        """Read a token; return None for what is none."""
        found = _TOKEN.fullmatch(token) if token.isascii() and len(token) <= _LONGEST else None
        if found is None:
            return None
        upto = int(found[1])
        holes = frozenset(map(int, found[2].split("."))) if found[2] else frozenset()
        return cls(upto, holes) if max(upto, *holes, 0) == upto < 2**63 else None


@lru_cache(maxsize=256)
def _written(position: Position) -> str:
    """Write a token; every follower of an event needs the same one."""
    if not position.holes:
        return str(position.upto)
    holes = sorted(_newest(position.holes, MOST_WRITTEN))
    return f"{position.upto}~{'.'.join(map(str, holes))}"


def _newest(holes: frozenset[int], most: int) -> frozenset[int]:
    return holes if len(holes) <= most else frozenset(sorted(holes)[-most:])
