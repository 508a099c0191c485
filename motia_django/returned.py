"""Messages of light runs that are given back: named by their tasks, and loaded by workers alone."""

from __future__ import annotations

from typing import Any

from celery.exceptions import TimeLimitExceeded
from celery.worker.request import Request


class ReturnedRequest(Request):
    """A message that is given back to its broker if its process had to be killed.

    Celery acknowledges late messages then, as if the time were up for good.
    """

    def on_failure(self, exc_info: Any, *args: Any, **kwargs: Any) -> Any:
        """Give the message back, before Celery acknowledges it."""
        error = getattr(exc_info.exception, "exc", exc_info.exception)
        if isinstance(error, TimeLimitExceeded):
            self.reject(requeue=True)
        return super().on_failure(exc_info, *args, **kwargs)
