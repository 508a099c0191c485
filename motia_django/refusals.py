"""Requests that a Step refuses: a line of the log for each, and a count by the hour."""

from __future__ import annotations

import logging

from motia_django import tallies

logger = logging.getLogger("motia.http")


def tell(step: str, what: str, status: int, reason: str) -> None:
    """Log and count a request that a Step refused; `what` is its method and path."""
    logger.warning(
        "Step %r refused %s with %d: %s", step, _printable(what), status, _printable(reason)
    )
    tallies.count_refused(step, status)


def _printable(text: str) -> str:
    """Return text, of the sender's choice, as it cannot make lines of its own in a log."""
    return "".join(each if each.isprintable() else " " for each in text[:2000])
