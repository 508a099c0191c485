"""Runs' messages in the worker that has received them; nobody else loads this.

It notes that they have arrived, and does what is to be done if their process ends in vain what it
began, or is killed.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from celery.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded, WorkerLostError
from celery.worker.request import Request

from motia_django import arrivals, upkeep
from motia_django.exceptions import MotiaError, TimedOut, WorkerLost


class KeptRequest(Request):
    """The message of a run in the ledger: the run need not wait until its lease is over.

    The worker has read it to look at it, and hands on what it has read: by Celery its process would
    be given the text once more.
    """

    def __init__(
        self, message: Any, *, body: Any = None, decoded: bool = False, **known: Any
    ) -> None:
        read = body if decoded else message.payload
        super().__init__(message, body=read, decoded=True, **known)
        arrivals.note(self)

    def on_failure(self, exc_info: Any, *args: Any, **kwargs: Any) -> Any:
        """Have upkeep rescue the run that its process has no more, as Celery has found out."""
        found = _found(_error(exc_info), self.time_limits[0])
        if found and self.worker_pid is not None:
            upkeep.let_go(UUID(self.args[0]), f"{self.hostname}/{self.worker_pid}", *found)
        return super().on_failure(exc_info, *args, **kwargs)


class ReturnedRequest(Request):
    """A message that is given back to its broker if its time is up.

    Celery acknowledges late messages then, as if the time were up for good.
    """

    def on_failure(self, exc_info: Any, *args: Any, **kwargs: Any) -> Any:
        """Give the message back, before Celery acknowledges it."""
        if isinstance(_error(exc_info), TimeLimitExceeded):
            self.reject(requeue=True)
        return super().on_failure(exc_info, *args, **kwargs)


class LightRequest(ReturnedRequest, KeptRequest):
    """The message of a light run, which may be in the ledger by now."""


def _found(error: Any, own: float | None) -> tuple[str, type[MotiaError]] | None:
    """Return how an attempt was ended, and the kind of error that is; None if it ended itself.

    `own` is the limit that came with its message, before which the project's does not count.
    """
    if isinstance(error, WorkerLostError):
        # "Worker exited prematurely: signal 9 (SIGKILL) Job: 7."
        cause = str(error).partition(": ")[2].partition(" Job:")[0]
        return f"the worker was killed ({cause})", WorkerLost
    if isinstance(error, TimeLimitExceeded):
        limit = "its limit" if own else f"Celery's task_time_limit of {error.args[0]:g} s"
        return f"it did not end at {limit}: its process was killed", TimedOut
    if isinstance(error, SoftTimeLimitExceeded):
        return "its time was up before its handler began", TimedOut
    return None


def _error(exc_info: Any) -> Any:
    return getattr(exc_info.exception, "exc", exc_info.exception)
