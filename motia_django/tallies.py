"""Counting what became no run: requests that were refused, and messages that nobody heard.

A flood of them costs the database what a few do: they are counted in memory, and a thread of each
process adds the numbers to the tables, once a second at most.
"""

from __future__ import annotations

import atexit
import logging
import os
import time
from collections import Counter
from threading import Event, Lock, Thread

from celery.signals import worker_process_shutdown
from django.core import mail
from django.db import DatabaseError, InterfaceError, connections
from django.utils import timezone

from motia_django import ledger, payloads, publish
from motia_django.conf import settings
from motia_django.ledger.tallies import Kind, Tallied

logger = logging.getLogger("motia.tallies")

_LONGEST_TOPIC = 255
_PAUSE = 1.0
"""Seconds between two times that the numbers are added to the tables."""
_LATE = 5.0
"""Seconds after which whoever counts does it: some servers let no thread of ours run."""


class Tally:
    """What is counted and not in the tables yet, with the thread that takes it there."""

    def __init__(self) -> None:
        self._counts: Counter[Tallied] = Counter()
        self._since = time.monotonic()
        self._is_wanted = Event()
        self._lock, self._writing = Lock(), Lock()
        self._thread: Thread | None = None

    def add(self, kind: Kind, step: str, what: int | str) -> None:
        """Count one more; in a test run nothing is written until somebody asks for it."""
        with self._lock:
            self._counts[Tallied(kind, ledger.hour_of(timezone.now()), step, what)] += 1
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
        """Add to the tables what is counted; what the database does not take waits for the next."""
        with self._writing:
            with self._lock:
                counts, self._counts = self._counts, Counter()
            try:
                if counts:
                    ledger.add_tallies(counts)
            except (DatabaseError, InterfaceError) as error:
                logger.warning("What became no run could not be counted (%s); trying again", error)
                with self._lock:
                    self._counts += counts

    def _start(self) -> None:
        if self._thread is None:
            self._thread = Thread(target=self._work, name="motia-tallies", daemon=True)
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


def count_refused(step: str, status: int) -> None:
    """Count a request that a Step refused, by the status code that answered it."""
    _tally.add("refused", step, status)


def count_unheard(topic: str, step: str) -> None:
    """Count a message that nobody heard, once it is committed, unless the settings ignore such.

    The `step` has sent it, and is empty outside of Steps.
    """
    if settings().unheard_topics == "ignore":
        return
    name = payloads.plain_text(topic)[:_LONGEST_TOPIC]
    if connections[ledger.database()].in_atomic_block:
        publish.after_commit(lambda: _tally.add("unheard", step, name))
    else:  # without asking the database, which `on_commit` connects to
        _tally.add("unheard", step, name)


def write(**_: object) -> None:
    """Add to the tables what was counted in this process so far; at its end, too.

    A process that was forked has a tally of its own by then: it leaves its parent's alone.
    """
    _tally.write()


def _begin_anew() -> None:
    """Give a forked process a tally of its own; what is counted is its parent's to write."""
    global _tally
    _tally = Tally()


worker_process_shutdown.connect(write, dispatch_uid="motia.tallies")
os.register_at_fork(after_in_child=_begin_anew)
