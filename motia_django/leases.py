"""Keeping alive what runs: one thread in each process renews the leases of its long runs."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import connections

from motia_django import ledger
from motia_django.runs import Run

logger = logging.getLogger("motia.leases")

_BEATS_PER_LEASE = 3


@dataclass(slots=True)
class _Held:
    run: Run
    lease: timedelta
    next_beat: float


class _Keeper:
    """Renews what is held here, each lease once it has lasted a third of its length."""

    def __init__(self) -> None:
        self._held: dict[UUID, _Held] = {}
        self._changed = threading.Condition()
        self._process = 0

    def hold(self, run: Run, lease: timedelta) -> None:
        with self._changed:
            self._held[run.id] = _Held(run, lease, time.monotonic() + _beat(lease))
            if self._process != os.getpid():
                self._process = os.getpid()
                threading.Thread(target=self._work, name="motia-leases", daemon=True).start()
            else:
                self._changed.notify()

    def release(self, run: Run) -> None:
        with self._changed:
            self._held.pop(run.id, None)

    def _work(self) -> None:
        while True:
            for held in self._wait_for_due():
                try:
                    self._renew(held)
                except Exception as error:
                    run = held.run
                    logger.warning("The lease of run %s was not renewed: %r", run.id, error)
            connections.close_all()

    def _wait_for_due(self) -> list[_Held]:
        with self._changed:
            while True:
                now = time.monotonic()
                due = [held for held in self._held.values() if held.next_beat <= now]
                if due:
                    return due
                beats = [held.next_beat for held in self._held.values()]
                self._changed.wait(min(beats) - now if beats else None)

    def _renew(self, held: _Held) -> None:
        held.next_beat = time.monotonic() + _beat(held.lease)
        if ledger.renew(held.run, lease=held.lease):
            return
        with self._changed:
            still_here = self._held.pop(held.run.id, None)
        if still_here:
            logger.error("Run %s of %s has lost its lease", held.run.id, held.run.step)


_keeper = _Keeper()


@contextmanager
def kept(run: Run, lease: timedelta) -> Iterator[None]:
    """Keep a run's lease for the block; a run shorter than one heartbeat costs no query."""
    _keeper.hold(run, lease)
    try:
        yield
    finally:
        _keeper.release(run)


def _beat(lease: timedelta) -> float:
    return lease.total_seconds() / _BEATS_PER_LEASE
