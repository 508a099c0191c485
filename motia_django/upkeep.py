"""What every worker does each second: publish what is due, rescue what lost its worker."""

from __future__ import annotations

import logging
import os
import random
import threading
from typing import Any

from celery import bootsteps
from django.db import connections

from motia_django import ledger, publish, runner
from motia_django.conf import settings

logger = logging.getLogger("motia.upkeep")

BATCH = 200
_JITTER = 0.2
_round = threading.RLock()
"""Held during a round, which closes its connections: no pool process is forked meanwhile. It would
inherit them; SQLite's, with the locks that they hold, for ever."""


def upkeep() -> int:
    """Do one round; return how many runs were looked after."""
    lost = ledger.take_lost(BATCH)
    for run in lost:
        runner.conclude(run, ledger.lost_outcome(run))
    due = ledger.take_due(BATCH)
    if due:
        publish.publish(due, insist=True)
    return len(lost) + len(due)


class Upkeep(bootsteps.StartStopStep):
    """The part of a Celery worker that does upkeep, in a thread of its main process."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

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
        while not self._stopping.wait(self._pause()):
            with _round:
                self._do_rounds()
                connections.close_all()

    def _do_rounds(self) -> None:
        try:
            while upkeep() >= BATCH and not self._stopping.is_set():
                pass
        except Exception:
            logger.exception("A round of upkeep failed; the next one tries again")

    def _pause(self) -> float:
        return settings().upkeep_interval * random.uniform(1 - _JITTER, 1 + _JITTER)


def join_worker(sender: Any, **kwargs: Any) -> None:
    """Make upkeep a part of a worker that is being set up, whichever Celery app it works for."""
    sender.app.steps["worker"].add(Upkeep)
    os.register_at_fork(
        before=_round.acquire, after_in_parent=_round.release, after_in_child=_round.release
    )
