"""Whose turn it is: order within a lane, and so many at once of a pool.

A run with an order or a limit has a row in `motia_turn` until it is finished. Two unique columns
hold what must not be held twice, so whatever races there are, the database says no.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from motia_django import models
from motia_django.delivery import Delivery, Turn
from motia_django.ledger.rows import database
from motia_django.runs import Run, Status


def keep(runs: Sequence[Run]) -> None:
    """Let these new runs wait for their turns, in this order."""
    rows = [_row(run.id, run.turn) for run in runs if run.turn is not None]
    if rows:
        _turns().bulk_create(rows, batch_size=500)


def lock(run_id: UUID) -> None:
    """Lock a run's turn before the run, as `take` does: else two could wait for each other."""
    list(_turns().select_for_update().filter(run_id=run_id))


def take(run: Run, delivery: Delivery) -> bool:
    """Take the lane and a slot for a run, in a transaction of the caller; False if it must wait."""
    row = _turns().filter(run_id=run.id).first() or _late(run, delivery)
    if row.lane is not None and row.holds is None and not _lane_taken(row):
        return False
    if row.pool is not None and delivery.limit is not None:
        return row.slot is not None or _slot_taken(row.id, row.pool, delivery.limit)
    return True


def free(run_id: UUID, *, finished: bool) -> Turn | None:
    """Give back what a run holds: its slot, and if it is finished its lane; return what is free."""
    row = _turns().filter(run_id=run_id).first()
    if row is None:
        return None
    if finished:
        row.delete(using=database())
        return Turn(lane=row.lane, pool=row.pool)
    _turns().filter(id=row.id).update(slot=None)
    return Turn(pool=row.pool)


def next_up(turn: Turn, limit: int | None) -> list[UUID]:
    """Return the queued runs that may go on now in this lane and this pool."""
    free_slots = _free_slots(turn.pool, limit)
    if free_slots == 0:
        return []
    found = _head(turn.lane) if turn.lane else []
    if turn.pool is not None and free_slots is not None:
        first = _unblocked().filter(pool=turn.pool).order_by("-priority", "id")
        found += first.values_list("run_id", flat=True)[:free_slots]
    return list(dict.fromkeys(found))


def turns_of(run_ids: Iterable[UUID]) -> dict[UUID, Turn]:
    """Return what each of these runs waits for; those that wait for nothing are left out."""
    rows = _turns().filter(run_id__in=list(run_ids))
    return {row.run_id: Turn(lane=row.lane, pool=row.pool) for row in rows}


def _late(run: Run, delivery: Delivery) -> models.Turn:
    """Give a turn to a run that was born before its trigger had an order or a limit."""
    turn = delivery.turn(run.step, run.index, run.message_group, run.input) or Turn()
    row, _ = _turns().get_or_create(
        run_id=run.id,
        defaults={"lane": turn.lane, "pool": turn.pool, "priority": turn.priority},
    )
    return row


def _lane_taken(row: models.Turn) -> bool:
    """Hold the lane, unless an earlier run of it is unfinished or another one holds it."""
    first = _turns().filter(lane=row.lane).order_by("id").values_list("id", flat=True).first()
    if first != row.id:
        return False
    return _updated(row.id, holds=row.lane)


def _slot_taken(turn_id: int, pool: str, limit: int) -> bool:
    taken = set(_held(pool, limit).values_list("slot", flat=True))
    free_ones = (name for name in _names(pool, limit) if name not in taken)
    return any(_updated(turn_id, slot=name) for name in free_ones)


def _updated(turn_id: int, **values: str | None) -> bool:
    """Write what nobody else may hold; return False if somebody does."""
    try:
        with transaction.atomic(using=database()):
            return bool(_turns().filter(id=turn_id).update(**values))
    except IntegrityError:
        return False


def _free_slots(pool: str | None, limit: int | None) -> int | None:
    """Return how many slots of a pool are free; None if there is no limit."""
    if pool is None or limit is None:
        return None
    return max(limit - _held(pool, limit).count(), 0)


def _held(pool: str, limit: int) -> QuerySet[models.Turn]:
    return _turns().filter(slot__in=list(_names(pool, limit)))


def _names(pool: str, limit: int) -> Iterable[str]:
    return (f"{pool}.{number}" for number in range(limit))


def _head(lane: str) -> list[UUID]:
    """Return the run whose turn it is in a lane, if it is queued."""
    holder = _turns().filter(holds=lane).first()
    head = holder or _turns().filter(lane=lane).order_by("id").first()
    return [head.run_id] if head and _queued().filter(id=head.run_id).exists() else []


def _unblocked() -> QuerySet[models.Turn]:
    """Return the turns of queued runs without a slot whose turn it is in their lane, if any."""
    holder = _turns().filter(holds=OuterRef("lane")).values("id")[:1]
    first = _turns().filter(lane=OuterRef("lane")).order_by("id").values("id")[:1]
    next_in_lane = Coalesce(Subquery(holder), Subquery(first))
    queued = Exists(_queued().filter(id=OuterRef("run_id")))
    return _turns().filter(Q(lane=None) | Q(id=next_in_lane), queued, slot=None)


def _queued() -> QuerySet[models.Run]:
    return models.Run.objects.using(database()).filter(status=Status.QUEUED)


def _turns() -> QuerySet[models.Turn]:
    return models.Turn.objects.using(database())


def _row(run_id: UUID, turn: Turn) -> models.Turn:
    return models.Turn(run_id=run_id, lane=turn.lane, pool=turn.pool, priority=turn.priority)
