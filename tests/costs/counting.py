"""Counting what a piece of work does: queries, and calls of functions."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

WARM = 5
"""How often a piece of work is done before it is counted: caches are filled, modules imported."""
BRACKETS = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "ROLLBACK")


@dataclass(frozen=True, slots=True)
class Work:
    """A piece of work, and what is to be there before."""

    act: Callable[[Any], object]
    prepare: Callable[[], Any] = lambda: None


def queries(work: Work) -> int:
    """Return how many statements it asks of the database, besides those that bracket others."""
    for _ in range(WARM):
        work.act(work.prepare())
    prepared = work.prepare()
    with CaptureQueriesContext(connection) as captured:
        work.act(prepared)
    asked = (each["sql"].split(" ")[0].upper() for each in captured.captured_queries)
    return sum(word not in BRACKETS for word in asked)


def calls(work: Work) -> int:
    """Return how many functions it calls in this thread, those written in C among them.

    The same versions call as many on every machine, but for what is done once a second; so the
    smallest number of a few is told.
    """
    for _ in range(WARM):
        work.act(work.prepare())
    return min(_called(work) for _ in range(WARM))


def _called(work: Work) -> int:
    number = 0

    def count(frame: Any, event: str, arg: Any) -> None:
        nonlocal number
        number += event in ("call", "c_call")

    prepared, before = work.prepare(), sys.getprofile()
    gc.collect()
    gc.disable()
    sys.setprofile(count)
    try:
        work.act(prepared)
    finally:
        sys.setprofile(before)
        gc.enable()
    return number
