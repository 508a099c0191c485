"""Who may run a run: claimed once, leased, fenced, finished by its holder or rescued."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from motia_django import by_hand, models
from motia_django.conf import settings
from motia_django.delivery import Delivery
from motia_django.exceptions import MotiaError, WorkerLost
from motia_django.ledger import keys, statements, turns
from motia_django.ledger.due import heed, overdue
from motia_django.ledger.history import find
from motia_django.ledger.rows import (
    all_runs,
    database,
    failure_of,
    kept,
    locked,
    masked_input,
    run_of,
    timeline_of,
    tries_of,
)
from motia_django.runs import Outcome, Run, Settlement, Status, settle, summary_of


def claim(
    run_id: UUID,
    *,
    worker: str,
    lease: timedelta,
    step: str | None = None,
    may_be_undone: bool = False,
    delivery_of: Callable[[Run], Delivery] = lambda run: Delivery(),
    refused: Callable[[Run], object] = lambda run: None,
) -> Run | None:
    """Take a queued run for one attempt; return None if there is nothing to take.

    Of any number of deliveries of one id, one gets the run. There is nothing to take either while
    its Step is paused, or while it has to wait its turn: then `refused` is told, after the claim.
    `step` is given if no trigger of that Step has an order or a limit: then a run is taken by one
    statement, where the database can, and that `may_be_undone` by a crash of the database's server.
    """
    if step is not None and statements.takes_at_once():
        values: Any = {"worker": worker, "lease": lease, "may_be_undone": may_be_undone}
        taken = statements.take(run_id, step, **values)
        if taken is not None:
            return taken
    run = find(run_id)
    if run is None or run.status is not Status.QUEUED:
        return None
    delivery = delivery_of(run)
    if not (run.limited or delivery.limited):
        return _claimed(run, worker, lease)
    with transaction.atomic(using=database()):
        has_turn = turns.take(run, delivery)
        claimed = _claimed(replace(run, limited=True), worker, lease) if has_turn else None
        if has_turn and claimed is None:
            transaction.set_rollback(True, using=database())
    if not has_turn:
        refused(run)
    return claimed


def renew(run: Run, *, lease: timedelta) -> bool:
    """Extend the lease of an attempt; return False if it is no longer this attempt's to extend."""
    return bool(_held(run).update(wake_at=timezone.now() + lease))


def holds(run: Run) -> bool:
    """Return whether the run is still this attempt's."""
    return _held(run).exists()


def finish(run: Run, outcome: Outcome, delivery: Delivery) -> Settlement | None:
    """Write what became of an attempt; return None and write nothing if the lease was lost."""
    settlement = settle(run, outcome, delivery, timezone.now())
    changes = _changes(run, outcome, settlement)
    if not (run.limited or outcome.keys or outcome.snoozed):
        # One that was finished, and is not any more, is rescued and run again.
        is_held = statements.write(run, changes, may_be_undone=not outcome.failed)
        return settlement if is_held else None
    with transaction.atomic(using=database()):
        turn = turns.lock(run.id) if run.limited else None
        if not statements.write(run, changes, may_be_undone=False):
            return None
        keys.add(run.id, outcome.keys)
        freed = turns.free(turn, finished=settlement.status.final)
        if outcome.snoozed:
            heed(run.id, changes["timeline"])
    return replace(settlement, freed=freed)


def are_overdue() -> bool:
    """Return whether upkeep has to look at any run: usually there is none."""
    return by_hand.exists(models.Run, database(), "wake_at <= %s", timezone.now())


def take_lost(limit: int) -> list[Run]:
    """Return running runs whose lease ran out, fenced off from their old worker for this caller."""
    now = timezone.now()
    with transaction.atomic(using=database()):
        rows = locked(overdue(now, (Status.RUNNING,)))[:limit]
        return [run for row in list(rows) if (run := _fenced(row, wake_at__lte=now))]


def take_let_go(run_id: UUID, worker: str) -> Run | None:
    """Return the run that this worker's process holds, fenced off from it; None if it does not."""
    with transaction.atomic(using=database()):
        row = locked(all_runs().filter(id=run_id, status=Status.RUNNING, worker=worker)).first()
        return _fenced(row) if row else None


def lost_outcome(
    run: Run, how: str = "the worker went silent", kind: type[MotiaError] = WorkerLost
) -> Outcome:
    """Return the outcome of an attempt that its process cannot end: how, and what that is."""
    now = timezone.now()
    error = kind(f"{how} during attempt {run.attempt}")
    note = {"at": None, "kind": "worker_lost", "message": summary_of(error)}
    return Outcome(
        status=Status.DEAD,
        error=error,
        started_at=run.started_at or now,
        finished_at=now,
        timeline=(note,),
    )


def _fenced(row: models.Run, **unless: Any) -> Run | None:
    """Take a run from its worker for a rescuer; return None if it is not as it was read."""
    lease, fence = timedelta(seconds=settings().lease), row.fence + 1
    still = all_runs().filter(id=row.id, fence=row.fence, **unless)
    taken = still.update(fence=fence, wake_at=timezone.now() + lease)
    return replace(run_of(row), fence=fence) if taken else None


def _claimed(run: Run, worker: str, lease: timedelta) -> Run | None:
    """Take a run as it was read, if nobody else has had it since.

    So it is done where a database has no better way, and for a run that may have to wait its turn.
    To read it after it was taken would not do: a process that was frozen in between would read, and
    use, the fence of whoever has rescued and claimed it meanwhile.
    """
    now = timezone.now()
    claimed = replace(
        run,
        status=Status.RUNNING,
        attempt=run.attempt + 1,
        fence=run.fence + 1,
        wake_at=now + lease,
        started_at=now,
        publishes=0,
    )
    taken = _claimable(run).update(
        status=claimed.status,
        attempt=claimed.attempt,
        fence=claimed.fence,
        limited=claimed.limited,
        wake_at=claimed.wake_at,
        started_at=claimed.started_at,
        worker=worker[:255],
    )
    return claimed if taken else None


def _changes(run: Run, outcome: Outcome, settlement: Settlement) -> dict[str, Any]:
    changes: dict[str, Any] = {
        "status": settlement.status,
        "wake_at": settlement.wake_at,
        "output": kept(run, outcome.value),
        **failure_of(run.step, outcome),
        "timeline": timeline_of(run, outcome, settlement),
        **tries_of(run, outcome, settlement),
        "publishes": 0,
    }
    if settlement.status.final and run.dedupe_key and run.dedupe_until is None:
        changes["unique_key"] = None
    if settlement.status.final and not outcome.failed:
        hidden = masked_input(run)
        changes |= {"input": hidden} if hidden != run.input else {}
    return changes


def _claimable(run: Run) -> QuerySet[models.Run]:
    """The row of a queued run, if it is as it was read and its Step is not paused."""
    paused = models.Pause.objects.filter(step=OuterRef("step"))
    return all_runs().filter(~Exists(paused), id=run.id, fence=run.fence, status=Status.QUEUED)


def _held(run: Run) -> QuerySet[models.Run]:
    """The row of `run`, if its attempt still holds the lease."""
    return all_runs().filter(id=run.id, fence=run.fence, status=Status.RUNNING)
