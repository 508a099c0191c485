"""What waits for a commit, done as if the test's own transaction had been committed."""

from __future__ import annotations

import logging
from typing import Any

from django.db import connections

logger = logging.getLogger("motia.testing")


def commit() -> None:
    """Do what waits for a commit in the transactions that Django's `TestCase` never commits.

    A transaction that the code under test has open itself is left alone, and so is all that waits
    for it. Outside of a `TestCase` there is nothing to do: there the database commits.
    """
    for connection in connections.all(initialized_only=True):
        if _is_between_transactions(connection):
            _call_hooks(connection)


def _is_between_transactions(connection: Any) -> bool:
    """Return whether no transaction is open here but those that a `TestCase` has opened."""
    blocks = connection.atomic_blocks
    return bool(blocks) and all(getattr(each, "_from_testcase", False) for each in blocks)


def _call_hooks(connection: Any) -> None:
    """Call the hooks in their order, and those that they add, as Django does after a commit."""
    while connection.run_on_commit:
        _, hook, is_robust = connection.run_on_commit.pop(0)
        try:
            hook()
        except Exception:
            if not is_robust:
                raise
            logger.exception("A hook that waited for the commit failed")
