"""The history of requests, written behind their answers: many at once, in a thread of its own.

It is history, not delivery. A process that is killed takes with it what it has not written yet:
what was answered within the last `HISTORY_DELAY`. What failed is written before it is answered,
and what an atomic Step has answered in the transaction of its handler.
"""

from __future__ import annotations

import atexit
import logging
import os
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from threading import Event, Lock, Thread

from django.core import mail
from django.db import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    connections,
)

from motia_django import ledger
from motia_django.conf import settings
from motia_django.runs import Outcome, Run
from motia_django.timeline import Entry

logger = logging.getLogger("motia.runs")

_MOST_WAITING = 5000
"""So many requests wait at most; whoever comes then writes his own."""
_AT_ONCE = 200
_LATE = 2.0
"""Seconds after which requests write what waits: some servers let no thread of ours run."""
_KEPT = 2.0
"""Seconds for which the thread keeps its connection while there is nothing to write."""
_TRIES = 10
_LAST_TRIES = 2
_PAUSE = 1.0
"""Seconds between tries, while the database is away."""
_note: ContextVar[Entry | None] = ContextVar("motia_by_hand", default=None)
"""Who made the request that goes on here by hand, and why."""


class Recorder:
    """What was answered and is not written yet, with the thread that writes it."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Run, Outcome]] = deque()
        self._since = 0.0
        self._failures = 0
        self._is_wanted = Event()
        self._starting, self._writing = Lock(), Lock()
        self._thread: Thread | None = None

    def add(self, run: Run, outcome: Outcome) -> None:
        """Have a run written soon; at once where it is asked for, or where nobody else does."""
        if _is_asked_for_at_once() or len(self._waiting) >= _MOST_WAITING:
            _write_each([(run, outcome)])
            return
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.append((run, outcome))
        if not self._is_wanted.is_set():
            self._start()
            self._is_wanted.set()
        elif self._is_late():
            self.write()

    def _is_late(self) -> bool:
        """Return whether nobody writes what waits, though the database is there."""
        since = time.monotonic() - self._since
        return since > settings().history_delay + _LATE and not self._failures

    @property
    def waits(self) -> bool:
        """Whether anything is still to be written."""
        return bool(self._waiting)

    def write(self) -> None:
        """Write what waits now; what the database, being away, does not take waits on.

        What comes meanwhile waits for others to join it: few rows cost as much as many.
        """
        with self._writing:
            left = len(self._waiting)
            while left:
                some = [self._waiting.popleft() for _ in range(min(left, _AT_ONCE))]
                self._since = time.monotonic()
                if not self._written(some):
                    self._waiting.extendleft(reversed(some))
                    return
                left -= len(some)

    def _written(self, some: list[tuple[Run, Outcome]]) -> bool:
        try:
            ledger.record_answered(some)
        except (DatabaseError, InterfaceError) as error:
            if ledger.is_away(error):
                connections[ledger.database()].close()
                self._failures += 1
                if self._failures < _TRIES:
                    logger.warning("The history could not be written (%s); trying again", error)
                    return False
            _write_each(some)
        self._failures = 0
        return True

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = Thread(target=self._work, name="motia-history", daemon=True)
                self._thread.start()
                atexit.register(_write_the_rest)

    def _work(self) -> None:
        """Wait for something to write, give others the time to join it, and write."""
        while True:
            if not self._is_wanted.wait(_KEPT):
                connections.close_all()
                self._is_wanted.wait()
            time.sleep(settings().history_delay)
            self._is_wanted.clear()
            self.write()
            if self._failures:
                time.sleep(_PAUSE)
                self._is_wanted.set()


_recorder = Recorder()


def record(run: Run, outcome: Outcome) -> None:
    """Write a run that went well to the history, soon after its answer is sent."""
    _recorder.add(run, outcome)


def record_now(run: Run, outcome: Outcome) -> None:
    """Write a run that is over at once; over a new connection if its own turns out to be lost.

    That is often what such a run died by.
    """
    database = connections[ledger.database()]
    try:
        ledger.record(run, outcome)
    except (DatabaseError, InterfaceError) as error:
        if database.in_atomic_block or not ledger.is_away(error):
            raise
        database.close()
        if ledger.find(run.id) is None:
            ledger.record(run, outcome)


def record_within(run: Run, outcome: Outcome) -> None:
    """Write a run that went well in the transaction that is open, which it is a part of."""
    ledger.record_within([(run, with_note(outcome))])


@contextmanager
def by_hand(note: Entry) -> Iterator[None]:
    """Have requests of the block written at once, their timelines beginning with who made them.

    Whoever made one by hand looks for its run as soon as he has the answer.
    """
    token = _note.set(note)
    try:
        yield
    finally:
        _note.reset(token)


def with_note(outcome: Outcome) -> Outcome:
    """Return the outcome of a request, with the note of who made it by hand, if anybody did."""
    note = _note.get()
    return replace(outcome, timeline=(note, *outcome.timeline)) if note else outcome


def _is_asked_for_at_once() -> bool:
    """Return whether a run has to be written before its answer is sent, as in a test run.

    In that it is looked for at once, and often in a transaction that no other thread can see.
    """
    return not settings().history_delay or _note.get() is not None or "outbox" in vars(mail)


def _write_each(answered: list[tuple[Run, Outcome]]) -> None:
    """Write one run after the other; the history must not fail what it tells of.

    One that is there already was written just before the connection broke.
    """
    for run, outcome in answered:
        try:
            ledger.record_answered([(run, outcome)])
        except (DatabaseError, InterfaceError) as error:
            if not (isinstance(error, IntegrityError) and ledger.find(run.id)):
                logger.exception("Run %s of %s could not be recorded", run.id, run.step)


def _write_the_rest() -> None:
    """Write what waits when this process ends; of a forked one, what it has answered itself.

    The connection of this thread, the main one, may be that of the process that forked this one,
    where something was asked before the fork; or it is lost, and nobody has noticed.
    """
    for _ in range(_LAST_TRIES):
        if not _recorder.waits:
            return
        del connections[ledger.database()]
        _recorder.write()


def _begin_anew() -> None:
    """Give a forked process a recorder of its own; what waits is its parent's to write."""
    global _recorder
    _recorder = Recorder()


os.register_at_fork(after_in_child=_begin_anew)
