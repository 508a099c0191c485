"""What every worker does each second: publish what is due, rescue, prune, end what has expired."""

from __future__ import annotations

import logging
import math
import os
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from uuid import UUID

from celery import bootsteps
from django.db import InterfaceError, OperationalError, close_old_connections, connections

from motia_django import arrivals, ledger, publish, runner
from motia_django.conf import settings
from motia_django.exceptions import MotiaError, StoreUnavailable
from motia_django.live import face as streams
from motia_django.live import log
from motia_django.runs import Run, Status, summary_of
from motia_django.stores import face

logger = logging.getLogger("motia.upkeep")

T = TypeVar("T")

BATCH = 200
_EVENTS = 5000
_JITTER = 0.2
_SECONDS_BETWEEN_SIGNS = 10.0
_SECONDS_BETWEEN_PRUNINGS = 60.0
_MOST_ROUNDS = 50
"""How many batches one round may take before the other chores have their turn."""
_PARTS = {
    "upkeep": "publishing and rescuing runs",
    "keep_state": "looking after the state",
    "keep_streams": "looking after streams",
    "work_off": "working off batches",
    "prune": "pruning",
}
"""What each chore does, by the name of its function, for the log."""
_AWAY = (StoreUnavailable, OperationalError, InterfaceError)
"""What fails where a server cannot be reached."""
_MINUTE = 60.0
_key_sweep = ledger.KeySweep()
_chore = threading.RLock()
"""Held while a chore goes on, and while a pool process is forked."""
_let_go: deque[tuple[UUID, str, str, type[MotiaError]]] = deque()
"""Runs that their processes can end no more, who held each, and why; until the next round."""
_connections: list[Any] = []
"""Those that upkeep has open between two rounds, for as long as their `CONN_MAX_AGE` says."""


def upkeep() -> int:
    """Do one round; return how many runs were looked after."""
    _rescue_what_was_let_go()
    if not ledger.are_overdue():
        return 0
    lost = ledger.take_lost(BATCH)
    for run in lost:
        runner.conclude(run, ledger.lost_outcome(run))
    due = ledger.take_due(BATCH)
    if due:
        resting = ledger.paused()
        publish.publish([run for run in due if _is_missing(run, resting)], insist=True)
    return len(lost) + len(due)


def let_go(run_id: UUID, holder: str, how: str, kind: type[MotiaError]) -> None:
    """Have the next round end the attempt that a process of this worker had, and has no more."""
    _let_go.append((run_id, holder, how, kind))


def _rescue_what_was_let_go() -> None:
    """End attempts that nobody goes on with; what fails here is rescued when its lease is over."""
    while _let_go:
        run_id, holder, how, kind = _let_go.popleft()
        run = ledger.take_let_go(run_id, holder)
        if run is not None:
            runner.conclude(run, ledger.lost_outcome(run, how, kind))


def _is_missing(run: Run, resting: Mapping[str, object]) -> bool:
    """Return whether a due run has to be published, at first or again."""
    if run.step in resting:
        return False
    return not run.publishes or not arrivals.is_on_its_way(run, settings().publish_patience)


def keep_state() -> int:
    """Delete what has expired from the state, and tell of changes that nobody was told of."""
    return face.look_after(BATCH)


def keep_streams() -> int:
    """Delete items of streams that have expired, and tell of it."""
    return streams.look_after(BATCH)


def work_off() -> bool:
    """Work on the batches that wait; return whether there is more to do at once.

    What does so is loaded with the first batch.
    """
    if not ledger.are_batches_waiting():
        return False
    from motia_django import batches

    return batches.work_off()


def prune() -> int:
    """Delete what is older than the setting `RETENTION` allows, in one small batch per status.

    Turns of runs that somebody has deleted go, too: they would hold others up; and so do such runs'
    index keys, as far as a few are looked at each time. Events of streams
    that are past the setting `STREAM_RETENTION` go in one larger batch, and what operators had done
    to many runs is forgotten, as is which forms they had sent, what became no
    run, and what was answered to requests with an `Idempotency-Key` once that has expired.
    """
    ages = settings().retention.items()
    kept_for = {Status(status): days for status, days in ages if days is not None}
    ledger.sweep()
    _key_sweep.piece(BATCH)
    ledger.prune_batches(BATCH)
    ledger.prune_starts()
    ledger.prune_tallies()
    events = log.prune(settings().stream_retention, limit=_EVENTS)
    answers = ledger.prune_answers(BATCH)
    return (
        events
        + answers
        + sum(ledger.prune(status, days, limit=BATCH) for status, days in kept_for.items())
    )


class Upkeep(bootsteps.StartStopStep):
    """The part of a Celery worker that does upkeep, in a thread of its main process."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        self._stopping = threading.Event()
        self._name = str(worker.hostname)
        self._worker = worker
        self._thread: threading.Thread | None = None
        self._failing: dict[str, float] = {}
        """The parts whose server is away, and when that was last told."""

    def start(self, worker: Any) -> None:
        """Begin when the worker does."""
        self._thread = threading.Thread(target=self._work, name="motia-upkeep", daemon=True)
        self._thread.start()

    def stop(self, worker: Any) -> None:
        """End when the worker does."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=2)

    def terminate(self, worker: Any) -> None:
        """End when the worker is told to end at once."""
        self.stop(worker)

    def _work(self) -> None:
        seen = pruned = -math.inf
        has_more = False
        while not self._stopping.wait(0 if has_more else self._pause()):
            now = time.monotonic()
            has_more = self._look_after_all()
            if now - seen >= _SECONDS_BETWEEN_SIGNS:
                seen = now
                self._do(self._sign)
            if now - pruned >= _SECONDS_BETWEEN_PRUNINGS:
                pruned = -math.inf if any(self._do(prune)) else now
        self._do(self._sign_off)

    def _look_after_all(self) -> bool:
        """Look after the runs, all items and the batches; return whether these have more to do."""
        chores = (upkeep, keep_state, keep_streams)
        *numbers, has_more = self._do(*chores, work_off)
        for chore, number in zip(chores, numbers, strict=True):
            found, rounds = number or 0, 1
            while found >= BATCH and rounds < _MOST_ROUNDS and not self._stopping.is_set():
                found, rounds = self._do(chore)[0] or 0, rounds + 1
        return bool(has_more)

    def _do(self, *chores: Callable[[], T]) -> list[T | None]:
        """Do these things, on connections of their own, which no fork takes along."""
        with _chore:
            try:
                return [self._tried(each) for each in chores]
            finally:
                close_old_connections()
                _connections[:] = connections.all(initialized_only=True)

    def _tried(self, chore: Callable[[], T]) -> T | None:
        part = _PARTS.get(chore.__name__, "the worker's sign of life")
        try:
            done = chore()
        except Exception as error:
            self._tell(part, error)
            connections.close_all()
            return None
        self._failing.pop(part, None)
        return done

    def _tell(self, part: str, error: Exception) -> None:
        """Log what failed; of a server that is away a line each minute, and once the traceback."""
        text, now = "Upkeep: %s failed, and is tried again: %s", time.monotonic()
        if not isinstance(error, _AWAY):
            logger.exception(text, part, summary_of(error))
        elif part not in self._failing:
            logger.warning(text, part, summary_of(error), exc_info=True)
            self._failing[part] = now
        elif now - self._failing[part] >= _MINUTE:
            logger.warning(text, part, summary_of(error))
            self._failing[part] = now

    def _sign(self) -> None:
        ledger.see(self._name, consumed_by(self._worker))

    def _sign_off(self) -> None:
        ledger.forget(self._name)

    def _pause(self) -> float:
        return settings().upkeep_interval * random.uniform(1 - _JITTER, 1 + _JITTER)


def consumed_by(worker: Any) -> list[str] | None:
    """Return the names of the queues that a worker consumes now, which it may be told to change.

    None while that is not known: it has yet to reach the broker, or has lost it.
    """
    tasks: Any = getattr(getattr(worker, "consumer", None), "task_consumer", None)
    return None if tasks is None else sorted(queue.name for queue in tasks.queues)


def join_worker(sender: Any, **kwargs: Any) -> None:
    """Make upkeep a part of a worker that is being set up, whichever Celery app it works for."""
    sender.app.steps["worker"].add(Upkeep)
    os.register_at_fork(
        before=_before_fork, after_in_parent=_chore.release, after_in_child=_chore.release
    )


def _before_fork() -> None:
    """Close what upkeep has open: a forked process would inherit it, SQLite's with its locks."""
    _chore.acquire()
    for connection in _connections:
        connection.inc_thread_sharing()
        connection.close()
        connection.dec_thread_sharing()
