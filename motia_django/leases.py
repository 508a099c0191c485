"""Keeping alive what runs: one thread in each process renews the leases of its long runs."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connections
from django.utils import timezone

from motia_django import ledger
from motia_django.exceptions import LeaseLost
from motia_django.runs import Run

logger = logging.getLogger("motia.leases")

_BEATS_PER_LEASE = 3


@dataclass(slots=True)
class Held:
    """A run that this process holds."""

    run: Run
    lease: timedelta
    next_beat: float
    expires_at: datetime
    """When others may take it for lost, by the clock that they look at too."""
    lost: bool = False
    ending: bool = False
    """Whether its end is being written: from then on it may be let go without being lost."""

    def check(self) -> None:
        """Raise `LeaseLost` if the run is no longer this process's, for all that is known."""
        if not self.lost and timezone.now() >= self.expires_at:
            self.lost = not ledger.holds(self.run)
        if self.lost:
            raise LeaseLost(
                f"run {self.run.id} of {self.run.step!r}: this process was silent for longer than"
                f" its lease of {self.lease.total_seconds():g} s, and the run was given to another;"
                " what this attempt would still write is refused"
            )


class _Keeper:
    """Renews what is held here, each lease once it has lasted a third of its length."""

    def __init__(self) -> None:
        self._held: dict[tuple[UUID, int], Held] = {}
        self._changed = threading.Condition()
        self._process = 0
        self._sleeps_until = 0.0
        """When the thread looks again by itself, on the monotonic clock."""

    def hold(self, run: Run, lease: timedelta) -> Held:
        expires_at = run.wake_at or timezone.now() + lease
        held = Held(run, lease, time.monotonic() + _beat(lease), expires_at)
        with self._changed:
            self._held[run.id, run.fence] = held
            if self._process != os.getpid():
                self._process = os.getpid()
                threading.Thread(target=self._work, name="motia-leases", daemon=True).start()
            elif held.next_beat < self._sleeps_until:
                self._changed.notify()
        return held

    def release(self, run: Run) -> None:
        with self._changed:
            self._held.pop((run.id, run.fence), None)

    def _work(self) -> None:
        while True:
            for held in self._wait_for_due():
                try:
                    self._renew(held)
                except Exception as error:
                    run = held.run
                    logger.warning("The lease of run %s was not renewed: %r", run.id, error)
            connections.close_all()

    def _wait_for_due(self) -> list[Held]:
        with self._changed:
            while True:
                now = time.monotonic()
                due = [held for held in self._held.values() if held.next_beat <= now]
                if due:
                    return due
                beats = [held.next_beat for held in self._held.values()]
                self._sleeps_until = min(beats, default=math.inf)
                self._changed.wait(self._sleeps_until - now if beats else None)

    def _renew(self, held: Held) -> None:
        held.next_beat = time.monotonic() + _beat(held.lease)
        expires_at = timezone.now() + held.lease
        if ledger.renew(held.run, lease=held.lease):
            held.expires_at = expires_at
            return
        if held.ending:
            return
        with self._changed:
            held.lost = self._held.pop((held.run.id, held.run.fence), None) is not None
        if held.lost:
            logger.error("Run %s of %s has lost its lease", held.run.id, held.run.step)


_keeper = _Keeper()


@contextmanager
def kept(run: Run, lease: timedelta) -> Iterator[Held]:
    """Keep a run's lease for the block; a run shorter than one heartbeat costs no query."""
    held = _keeper.hold(run, lease)
    try:
        yield held
    finally:
        _keeper.release(run)


def _beat(lease: timedelta) -> float:
    return lease.total_seconds() / _BEATS_PER_LEASE
