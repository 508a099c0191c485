"""Queued runs, and since when each waits: for a worker, or for its turn behind others.

However long the table is, so many rows of it are looked at: of more, those that were born first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from motia_django import models
from motia_django.ledger import turns
from motia_django.ledger.due import queued_at
from motia_django.ledger.rows import all_runs
from motia_django.runs import Status

MOST = 1000
"""Of runs without an order or a limit, and of those that have one."""
_READ = ("id", "step", "created_at", "wake_at", "publishes", "fence", "limited")

Waiting = tuple[models.Run, datetime]
"""A queued run without its large columns, and since when it waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """The runs that were looked at, in no order."""

    for_worker: Sequence[Waiting]
    """Those that nobody holds up: from their birth, from when they were due, or had their turn."""
    for_turn: Sequence[Waiting]


def waits(among: Sequence[str] | None = None, *, but: Sequence[str] = ()) -> Waits:
    """Return what waits, in two queries: of all Steps or of these, and not of those in `but`."""
    queued = all_runs().filter(status=Status.QUEUED).exclude(step__in=but).order_by("id")
    if among is not None:
        queued = queued.filter(step__in=among)
    free = queued.filter(limited=False).only(*_READ)[:MOST]
    limited = queued.filter(limited=True).annotate(called=turns.is_called()).only(*_READ)[:MOST]
    called = [row for row in limited if row.called]
    held_up = [row for row in limited if not row.called]
    return Waits(for_worker=_since([*free, *called]), for_turn=_since(held_up))


def _since(rows: Sequence[models.Run]) -> list[Waiting]:
    return [(row, queued_at(row)) for row in rows]
