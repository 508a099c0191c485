"""The runs table as a queue (keep, claim, renew, finish, due, rescue) and as history."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connections, router, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from motia_django import models, payloads, timeline
from motia_django.conf import settings
from motia_django.delivery import Delivery
from motia_django.exceptions import WorkerLost
from motia_django.runs import Outcome, Run, Settlement, Status, settle, summary_of, traceback_of

LONGEST_PATIENCE = timedelta(hours=1)


def database() -> str:
    """Return the alias of the database that runs are written to."""
    return router.db_for_write(models.Run)


def keep(runs: Sequence[Run]) -> None:
    """Insert runs in the caller's transaction: they are there if, and only if, it commits."""
    rows = [_row(run, input=payloads.plain(run.input)) for run in runs]
    models.Run.objects.bulk_create(rows, batch_size=500)


def keep_once(run: Run, key: str) -> bool:
    """Insert a run unless one with the same `key` was ever kept; return whether it was inserted."""
    row = _row(run, input=run.input, unique_key=hashlib.sha256(key.encode()).hexdigest())
    try:
        with transaction.atomic(using=database()):
            row.save(force_insert=True)
    except IntegrityError:
        return False
    return True


def claim(run_id: UUID, *, worker: str, lease: timedelta) -> Run | None:
    """Take a queued run for one attempt; return None if there is nothing to take.

    Of any number of deliveries of one id, one gets the run.
    """
    now = timezone.now()
    taken = models.Run.objects.filter(id=run_id, status=Status.QUEUED).update(
        status=Status.RUNNING,
        attempt=F("attempt") + 1,
        fence=F("fence") + 1,
        started_at=now,
        wake_at=now + lease,
        worker=worker[:255],
    )
    return find(run_id) if taken else None


def renew(run: Run, *, lease: timedelta) -> bool:
    """Extend the lease of an attempt; return False if it is no longer this attempt's to extend."""
    return bool(_held(run).update(wake_at=timezone.now() + lease))


def finish(run: Run, outcome: Outcome, delivery: Delivery) -> Settlement | None:
    """Write what became of an attempt; return None and write nothing if the lease was lost."""
    settlement = settle(run, outcome, delivery, timezone.now())
    changes: dict[str, Any] = {
        "status": settlement.status,
        "wake_at": settlement.wake_at,
        "output": _kept(outcome.value),
        "error": traceback_of(outcome.error) if outcome.error and outcome.failed else "",
        "timeline": timeline.joined(run.timeline, run.attempt, outcome.timeline),
        "finished_at": outcome.finished_at,
        "publishes": 0,
    }
    if settlement.status.final and not outcome.failed:
        hidden = _masked(run.input)
        changes |= {"input": hidden} if hidden != run.input else {}
    return settlement if _held(run).update(**changes) else None


def record(run: Run, outcome: Outcome) -> None:
    """Insert a run that is over already: history, not delivery."""
    row = _row(
        run,
        input=_kept(run.input),
        status=outcome.status,
        output=_kept(outcome.value),
        error=traceback_of(outcome.error) if outcome.error and outcome.failed else "",
        timeline=[*outcome.timeline],
        started_at=outcome.started_at,
        finished_at=outcome.finished_at,
        wake_at=None,
        attempt=1,
    )
    row.save(force_insert=True)


def take_due(limit: int) -> list[Run]:
    """Return runs that have to be published now, made `queued` if they were scheduled.

    Two callers at once get different runs where the database can skip locked rows; where it cannot,
    a run published twice is still claimed once.
    """
    now = timezone.now()
    due = (Status.SCHEDULED, Status.QUEUED)
    with transaction.atomic(using=database()):
        rows = list(_locked(_overdue(now, due))[:limit])
        for publishes in {row.publishes for row in rows}:
            ids = [row.id for row in rows if row.publishes == publishes]
            # Not by `wake_at`: MySQL would wait for rows that were skipped, and they for this one.
            models.Run.objects.using(database()).filter(id__in=ids, status__in=due).update(
                status=Status.QUEUED,
                publishes=publishes + 1,
                wake_at=now + patience(publishes),
            )
    return [replace(_run(row), status=Status.QUEUED) for row in rows]


def publish_soon(run_ids: Iterable[UUID]) -> None:
    """Let upkeep publish these queued runs at its next round: the broker did not take them."""
    models.Run.objects.filter(id__in=list(run_ids), status=Status.QUEUED, publishes__gt=0).update(
        publishes=F("publishes") - 1, wake_at=timezone.now()
    )


def take_lost(limit: int) -> list[Run]:
    """Return running runs whose lease ran out, fenced off from their old worker for this caller."""
    now = timezone.now()
    with transaction.atomic(using=database()):
        rows = list(_locked(_overdue(now, (Status.RUNNING,)))[:limit])
        lost = []
        for row in rows:
            still = models.Run.objects.filter(id=row.id, fence=row.fence, wake_at__lte=now)
            if still.update(fence=row.fence + 1, wake_at=now + timedelta(seconds=settings().lease)):
                lost.append(replace(_run(row), fence=row.fence + 1))
    return lost


def patience(publishes: int) -> timedelta:
    """Return how long a run published that many times before is left alone after the next time."""
    first = timedelta(seconds=settings().publish_patience)
    return min(first * (1 << min(publishes, 16)), LONGEST_PATIENCE)


def wake(run_id: UUID) -> None:
    """Make a scheduled run due at once."""
    models.Run.objects.filter(id=run_id, status=Status.SCHEDULED).update(
        status=Status.QUEUED, publishes=1, wake_at=timezone.now() + patience(0)
    )


def lost_outcome(run: Run) -> Outcome:
    """Return the outcome of an attempt whose worker is gone."""
    now = timezone.now()
    error = WorkerLost(f"the worker went silent during attempt {run.attempt}")
    note = {"at": None, "kind": "worker_lost", "message": summary_of(error)}
    return Outcome(
        status=Status.DEAD, error=error, started_at=now, finished_at=now, timeline=(note,)
    )


def find(run_id: UUID) -> Run | None:
    """Return a run by its id."""
    row = models.Run.objects.using(database()).filter(id=run_id).first()
    return _run(row) if row is not None else None


def rows(**filters: Any) -> QuerySet[models.Run]:
    """Return the rows that people look at, newest first, narrowed by Django's field lookups."""
    return models.Run.objects.filter(**filters).order_by("-id")


def trace(trace_id: str) -> QuerySet[models.Run]:
    """Return the rows of a trace, in the order of their birth."""
    return models.Run.objects.filter(trace_id=trace_id).order_by("created_at", "id")


def _overdue(now: datetime, statuses: Sequence[Status]) -> QuerySet[models.Run]:
    return (
        models.Run.objects.using(database())
        .filter(wake_at__lte=now, status__in=statuses)
        .order_by("wake_at")
    )


def _locked(rows: QuerySet[models.Run]) -> QuerySet[models.Run]:
    features = connections[database()].features
    return (
        rows.select_for_update(skip_locked=True)
        if features.has_select_for_update_skip_locked
        else rows
    )


def _held(run: Run) -> QuerySet[models.Run]:
    """The row of `run`, if its attempt still holds the lease."""
    return models.Run.objects.filter(id=run.id, fence=run.fence, status=Status.RUNNING)


def _row(run: Run, **values: Any) -> models.Run:
    return models.Run(
        **{
            "id": run.id,
            "step": run.step,
            "trigger": run.trigger,
            "index": run.index,
            "source": run.source[:600],
            "status": run.status,
            "trace_id": run.trace_id,
            "parent_id": run.parent_id,
            "depth": run.depth,
            "created_at": run.created_at,
            "wake_at": run.wake_at,
            "publishes": 1 if run.status is Status.QUEUED else 0,
            **values,
        }
    )


def _run(row: models.Run) -> Run:
    return Run(
        id=row.id,
        step=row.step,
        trigger=row.trigger,
        index=row.index,
        source=row.source,
        input=row.input,
        trace_id=row.trace_id,
        parent_id=row.parent_id,
        depth=row.depth,
        status=Status(row.status),
        attempt=row.attempt,
        fence=row.fence,
        created_at=row.created_at,
        wake_at=row.wake_at,
        timeline=tuple(row.timeline or ()),
    )


def _masked(value: Any) -> Any:
    return payloads.masked(value, settings().redact)


def _kept(value: Any) -> Any:
    """Return a payload as the history keeps it: masked, and cut if it is large."""
    if value is None:
        return None
    return payloads.cut(_masked(payloads.presentable(value)), settings().max_payload)
