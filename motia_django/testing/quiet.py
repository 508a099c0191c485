"""Quiet while a test goes on: what fails is raised or asked for, and logged in a line only."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_LOGGERS = ("motia.runs", "django.request")


@contextmanager
def without_tracebacks() -> Iterator[None]:
    """Have failures of runs and requests logged in a line each, for the block."""

    def shortened(record: logging.LogRecord) -> bool:
        record.exc_info = None
        return True

    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addFilter(shortened)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(shortened)
