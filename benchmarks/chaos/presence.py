"""How many handlers were at work at once, from what they wrote down when each began.

See `project.shop.presence`, which writes it. Who may have lost his lease is not counted: his
successor rightly began while he was still there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.chaos.outages import Outage


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A handler that began, and who was at work in the same place."""

    place: str
    who: str
    at_work: Sequence[str]
    """Those that held their lease, itself included."""


def crowds(home: Path, outages: Sequence[Outage], *, limit: int, places: str) -> list[str]:
    """Return what happened whenever more than `limit` were at work in a place of that prefix."""
    return [
        f"{entry.place}: {', '.join(entry.at_work)}"
        for entry in _entries(home, outages)
        if entry.place.startswith(places) and len(entry.at_work) > limit
    ]


def peak(home: Path, outages: Sequence[Outage], place: str) -> int:
    """Return how many were at work in a place at most."""
    sizes = (len(each.at_work) for each in _entries(home, outages) if each.place == place)
    return max(sizes, default=0)


def _entries(home: Path, outages: Sequence[Outage]) -> Iterator[Entry]:
    path = home / "presence.jsonl"
    for line in path.read_text().splitlines() if path.exists() else ():
        entry = json.loads(line)
        others = [other for other in entry["others"] if not _excused(other, entry["at"], outages)]
        yield Entry(place=entry["place"], who=entry["who"], at_work=[entry["who"], *others])


def _excused(who: str, at: float, outages: Sequence[Outage]) -> bool:
    _, _, _, process, since = who.split()
    return any(each.costs_lease(int(process), float(since), at) for each in outages)
