"""When a run has to be published: at once, when it is due, or again since it never arrived."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from motia_django import models
from motia_django.conf import settings
from motia_django.ledger import turns
from motia_django.ledger.rows import LARGE, all_runs, database, lock_runs, locked, run_of
from motia_django.runs import UNFINISHED, Run, Status
from motia_django.timeline import Entry, woken_ahead

LONGEST_PATIENCE = timedelta(hours=1)
LONGEST_WAIT_FOR_TURN = 10
"""The patience with runs that wait their turn, in times of the first patience."""
_DOUBLED = 16
"""The patience doubles no more often than that."""


def take_due(limit: int) -> list[Run]:
    """Return runs that have to be published now, made `queued` if they were scheduled.

    They come without input and timeline, and those that wait their turn are among them. Two callers
    at once get different runs where the database can skip locked rows; where it cannot, a run
    published twice is still claimed once.
    """
    now = timezone.now()
    due = (Status.SCHEDULED, Status.QUEUED)
    with transaction.atomic(using=database()):
        rows = list(locked(overdue(now, due).defer(*LARGE))[:limit])
        for publishes, limited in {(row.publishes, row.limited) for row in rows}:
            ids = [row.id for row in rows if (row.publishes, row.limited) == (publishes, limited)]
            wait = patience(publishes, limited=limited)
            # By id alone: else InnoDB walks `wake_at`, into rows that were skipped as locked.
            all_runs().filter(id__in=ids, status__in=due).update(
                status=Status.QUEUED, publishes=publishes + 1, wake_at=now + wait
            )
    return [replace(run_of(row), status=Status.QUEUED) for row in rows]


def publish_soon(run_ids: Iterable[UUID]) -> None:
    """Let upkeep publish these queued runs at its next round: the broker did not take them."""
    _queued(run_ids).filter(publishes__gt=0).update(
        publishes=F("publishes") - 1, wake_at=timezone.now()
    )


def call_up(freed: Sequence[turns.Freed]) -> list[Run]:
    """Return the runs that may go on in these lanes and pools, to be published now, each once."""
    ids = turns.call(freed)
    if not ids:
        return []
    with transaction.atomic(using=database()) if len(ids) > 1 else nullcontext():
        if len(ids) > 1:
            lock_runs(ids)
        _queued(ids).update(publishes=1, wake_at=timezone.now() + patience(0))
    return [run_of(row) for row in _queued(ids).defer(*LARGE)]


def patience(publishes: int, *, limited: bool = False) -> timedelta:
    """Return how long a run published that many times before is left alone after the next time.

    One that waits its turn is published by whoever frees it; should that one be killed just then,
    it must not wait for an hour.
    """
    first = timedelta(seconds=settings().publish_patience)
    longest = first * LONGEST_WAIT_FOR_TURN if limited else LONGEST_PATIENCE
    return min(first * (1 << min(publishes, _DOUBLED)), longest, LONGEST_PATIENCE)


def queued_at(row: models.Run) -> datetime:
    """Return when a queued run was last queued: born, due, retried, redriven, or called up.

    Each time that it is published it is left alone for a known while, so that this can be told from
    when it is due to be published next. Upkeep may have been late then, and the run have waited for
    longer than is told. Where a publish is owed, a run that was never claimed is told from birth.
    """
    if row.wake_at is None or not (row.publishes or row.fence):
        return row.created_at
    doubled = min(row.publishes, _DOUBLED)
    waits = [patience(times, limited=row.limited) for times in range(doubled)]
    longest = patience(_DOUBLED, limited=row.limited)
    told = row.wake_at - sum(waits, timedelta()) - longest * (row.publishes - doubled)
    return max(told, row.created_at)


def wake(run_id: UUID, note: Entry | None = None) -> Run | None:
    """Queue a scheduled run, and return it, to be published; None if it is not scheduled.

    Its timeline gets the `note`. One that is queued or running is told: should it be snoozed then,
    that ends at once. It may have looked around before the caller's transaction is committed.
    """
    found = all_runs().filter(id=run_id)
    with transaction.atomic(using=database()):
        # Both in one statement: else it could be snoozed between one question and the other.
        found.filter(status__in=UNFINISHED).update(woken=True)
        queued = found.filter(status=Status.SCHEDULED).update(
            status=Status.QUEUED, publishes=1, wake_at=timezone.now() + patience(0), woken=None
        )
        if queued and note:
            [timeline] = found.values_list("timeline", flat=True)
            found.update(timeline=[*(timeline or ()), note])
    return run_of(found.defer(*LARGE).get()) if queued else None


def heed(run_id: UUID, timeline: Sequence[Entry]) -> None:
    """Make a run that was snoozed just now due, if it was woken since it was queued.

    That is added to its `timeline`, as it was written just now.
    """
    whole = [*timeline, woken_ahead()]
    now = timezone.now()
    all_runs().filter(id=run_id, woken=True).update(wake_at=now, woken=None, timeline=whole)


def overdue(now: datetime, statuses: Sequence[Status]) -> QuerySet[models.Run]:
    """Return the rows of these statuses whose time has come, the longest overdue first."""
    return all_runs().filter(wake_at__lte=now, status__in=statuses).order_by("wake_at")


def _queued(run_ids: Iterable[UUID]) -> QuerySet[models.Run]:
    return all_runs().filter(id__in=list(run_ids), status=Status.QUEUED)
