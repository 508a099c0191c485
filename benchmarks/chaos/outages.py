"""When processes could not have renewed a lease: then another may rightly take their place."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.chaos.plan import LEASE

_SLACK = 0.5
"""Seconds between a lease and the handler's work, and between a thaw and the work's end."""
_SHORTEST = LEASE * 2 / 3 - _SLACK
"""Seconds of silence that may cost a lease: it is renewed whenever a third of it has passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A span of the monotonic clock in which processes were frozen, or the database away."""

    begun: float
    ended: float = 0.0
    processes: Sequence[int] | None
    """Which processes; None is all of them."""

    def over(self) -> Outage:
        """Return it with its end."""
        return replace(self, ended=time.monotonic())

    def costs_lease(self, process: int, since: float, until: float) -> bool:
        """Return whether a handler at work from `since` to `until` may have lost its lease.

        One that begins just after the outage had its lease from before.
        """
        if self.processes is not None and process not in self.processes:
            return False
        begun = self.begun if since <= self.ended + _SLACK else since
        return min(self.ended, until) - begun >= _SHORTEST


def save(outages: Sequence[Outage], path: Path) -> None:
    """Write outages for another process."""
    path.write_text(json.dumps([asdict(each) for each in outages]))


def load(path: Path) -> list[Outage]:
    """Read what `save` wrote."""
    return [Outage(**each) for each in json.loads(path.read_text())]
