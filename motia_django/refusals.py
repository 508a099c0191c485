"""Requests that a Step refuses: a line of the log for each, and a count by the hour.

They are no runs. A flood of them costs the database what a few do: they are counted in memory, and
a thread of each process adds the numbers to the table, once a second at most.
"""

from __future__ import annotations

import atexit
import logging
import os
import time
from collections import Counter
from datetime import datetime
from threading import Event, Lock, Thread

from django.core import mail
from django.db import DatabaseError, InterfaceError, connections
from django.utils import timezone

from motia_django import ledger

logger = logging.getLogger("motia.http")

_PAUSE = 1.0
"""Seconds between two times that the numbers are added to the table."""
_LATE = 5.0
"""Seconds after which requests do it: some servers let no thread of ours run."""


class Tally:
    """What was refused and is not in the table yet, with the thread that takes it there."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[datetime, str, int]] = Counter()
        self._since = time.monotonic()
        self._is_wanted = Event()
        self._lock, self._writing = Lock(), Lock()
        self._thread: Thread | None = None

    def add(self, step: str, status: int) -> None:
        """Count a request; in a test run nothing is written until somebody asks for it."""
        with self._lock:
            self._counts[ledger.hour_of(timezone.now()), step, status] += 1
            if hasattr(mail, "outbox"):
                return
            self._start()
        if not self._is_wanted.is_set():
            self._since = time.monotonic()
            self._is_wanted.set()
        elif time.monotonic() - self._since > _LATE:
            self._since = time.monotonic()
            self.write()

    def write(self) -> None:
        """Add to the table what is counted; what the database does not take waits for the next."""
        with self._writing:
            with self._lock:
                counts, self._counts = self._counts, Counter()
            try:
                if counts:
                    ledger.add_refusals(counts)
            except (DatabaseError, InterfaceError) as error:
                logger.warning("Refused requests could not be counted (%s); trying again", error)
                with self._lock:
                    self._counts += counts

    def _start(self) -> None:
        if self._thread is None:
            self._thread = Thread(target=self._work, name="motia-refusals", daemon=True)
            self._thread.start()
            atexit.register(write)

    def _work(self) -> None:
        while self._is_wanted.wait():
            time.sleep(_PAUSE)
            self._is_wanted.clear()
            self.write()
            connections.close_all()
            if self._counts:
                self._is_wanted.set()


_tally = Tally()


def tell(step: str, what: str, status: int, reason: str) -> None:
    """Log and count a request that a Step refused; `what` is its method and path."""
    logger.warning(
        "Step %r refused %s with %d: %s", step, _printable(what), status, _printable(reason)
    )
    _tally.add(step, status)


def write() -> None:
    """Add to the table what was counted in this process so far; at its end, too.

    A process that was forked has a tally of its own by then: it leaves its parent's alone.
    """
    _tally.write()


def _printable(text: str) -> str:
    """Return text, of the sender's choice, as it cannot make lines of its own in a log."""
    return "".join(each if each.isprintable() else " " for each in text[:2000])


def _begin_anew() -> None:
    """Give a forked process a tally of its own; what is counted is its parent's to write."""
    global _tally
    _tally = Tally()


os.register_at_fork(after_in_child=_begin_anew)
