"""Messages whose process was killed: what their workers do then; they alone load this."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from celery.exceptions import TimeLimitExceeded, WorkerLostError
from celery.worker.request import Request

from motia_django import upkeep


class KeptRequest(Request):
    """The message of a run in the ledger: the run need not wait until its lease is over."""

    def on_failure(self, exc_info: Any, *args: Any, **kwargs: Any) -> Any:
        """Have upkeep rescue the run of a process that is gone, as Celery has found out."""
        error = _error(exc_info)
        if isinstance(error, WorkerLostError) and self.worker_pid is not None:
            # "Worker exited prematurely: signal 9 (SIGKILL) Job: 7."
            how = str(error).partition(": ")[2].partition(" Job:")[0]
            upkeep.was_killed(UUID(self.args[0]), f"{self.hostname}/{self.worker_pid}", how)
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


def _error(exc_info: Any) -> Any:
    return getattr(exc_info.exception, "exc", exc_info.exception)
