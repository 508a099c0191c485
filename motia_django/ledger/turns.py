"""Whose turn it is: order within a lane, and so many at once of a pool.

A run with an order or a limit has a row in `motia_turn` until it is finished. Two unique columns
hold what must not be held twice, so whatever races there are, the database says no.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Case, Exists, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce

from motia_django import models
from motia_django.delivery import Delivery, Turn
from motia_django.ledger.rows import all_runs, database
from motia_django.runs import UNFINISHED, Run, Status

_BATCH = 200
"""How many are called up at once where no limit says how many."""


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
    if row is None:
        return False
    if row.lane is not None and row.holds is None and not _lane_taken(row):
        return False
    if row.pool is not None and delivery.limit is not None and row.slot is None:
        return _slot_taken(row.id, row.pool, delivery.limit)
    return True


def free(run_id: UUID, *, finished: bool) -> Turn | None:
    """Give back what a run holds: its slot, and if it is finished its lane; return what is free."""
    row = _turns().filter(run_id=run_id).first()
    if row is None:
        return None
    if finished:
        row.delete(using=database())
        return Turn(lane=row.lane, pool=row.pool)
    _turns().filter(id=row.id).update(slot=None, called=False)
    return Turn(pool=row.pool)


def call(turn: Turn, limit: int | None) -> list[UUID]:
    """Call up the queued runs that may go on now in this lane and this pool, each once."""
    found = [*_head(turn.lane, limit), *_firsts(turn.pool, limit)]
    return [each for each in dict.fromkeys(found) if _called(each)]


def recall(run_ids: Iterable[UUID]) -> None:
    """Let these runs be called up again: their messages were lost, or came too early."""
    _turns().filter(run_id__in=list(run_ids), slot=None).update(called=False)


def turns_of(run_ids: Iterable[UUID], *, but_called: bool = False) -> dict[UUID, Turn]:
    """Return what each of these runs waits for; those that wait for nothing are left out.

    So are, with `but_called`, those that were called up: nobody holds them up any more.
    """
    rows = _turns().filter(run_id__in=list(run_ids))
    rows = rows.filter(called=False) if but_called else rows
    return {row.run_id: Turn(lane=row.lane, pool=row.pool) for row in rows}


def is_called() -> Case:
    """Return whether a row of runs has no turn to wait for any more: each is looked up by itself.

    (Not by `EXISTS`, for which PostgreSQL may choose to read all turns first.)
    """
    called = Subquery(_turns().filter(run_id=OuterRef("id")).values("called")[:1])
    return Case(When(limited=True, then=Coalesce(called, Value(True))), default=Value(True))


def sweep() -> int:
    """Delete turns whose runs are finished or gone, which would hold others up; return how many."""
    unfinished = all_runs().filter(id=OuterRef("run_id"), status__in=UNFINISHED)
    deleted, _ = _turns().filter(~Exists(unfinished)).delete()
    return deleted


def _late(run: Run, delivery: Delivery) -> models.Turn | None:
    """Give a turn to a run that was born before its trigger had an order or a limit.

    A run that is not queued any more has had its turn: it must not get another.
    """
    if not list(_queued().select_for_update().filter(id=run.id).values_list("id")):
        return None
    turn = delivery.turn(run.step, run.index, run.message_group, run.input) or Turn()
    row, _ = _turns().get_or_create(
        run_id=run.id,
        defaults={"lane": turn.lane, "pool": turn.pool},
    )
    return row


def _lane_taken(row: models.Turn) -> bool:
    """Hold the lane, unless an earlier run of it is unfinished or another one holds it."""
    first = _turns().filter(lane=row.lane).order_by("id").values_list("id", flat=True).first()
    return first == row.id and _updated(row.id, holds=row.lane, called=True)


def _slot_taken(turn_id: int, pool: str, limit: int) -> bool:
    """Take a slot, unless so many are taken: even by names that a lowered limit no longer has."""
    taken = set(_turns().filter(pool=pool, called=True).values_list("slot", flat=True)) - {None}
    if len(taken) >= limit:
        return False
    free_ones = (name for name in _names(pool, limit) if name not in taken)
    return any(_updated(turn_id, slot=name, called=True) for name in free_ones)


def _updated(turn_id: int, **values: str | bool | None) -> bool:
    """Write what nobody else may hold; return False if somebody does."""
    try:
        with transaction.atomic(using=database()):
            return bool(_turns().filter(id=turn_id).update(**values))
    except IntegrityError:
        return False


def _names(pool: str, limit: int) -> Iterable[str]:
    return (f"{pool}.{number}" for number in range(limit))


def _head(lane: str | None, limit: int | None) -> list[UUID]:
    """Return the run whose turn it is in a lane, if it waits to be called and its pool has room."""
    if lane is None:
        return []
    holder = _turns().filter(holds=lane).first()
    head = holder or _turns().filter(lane=lane).order_by("id").first()
    if head is None or head.called or not _room(head.pool, limit):
        return []
    return [head.run_id] if _queued().filter(id=head.run_id).exists() else []


def _firsts(pool: str | None, limit: int | None) -> list[UUID]:
    """Return the runs of a pool that go first, as many as there is room for."""
    room = _room(pool, limit) if pool is not None else 0
    if not room:
        return []
    first = _unblocked().filter(pool=pool).order_by("id")
    return list(first.values_list("run_id", flat=True)[:room])


def _room(pool: str | None, limit: int | None) -> int:
    """Return for how many runs a pool has room; for a batch of them where nothing limits it."""
    if pool is None or limit is None:
        return _BATCH
    return max(limit - _turns().filter(pool=pool, called=True).count(), 0)


def _unblocked() -> QuerySet[models.Turn]:
    """Return the turns of queued runs, not called yet, whose turn it is in their lane, if any."""
    holder = _turns().filter(holds=OuterRef("lane")).values("id")[:1]
    first = _turns().filter(lane=OuterRef("lane")).order_by("id").values("id")[:1]
    next_in_lane = Coalesce(Subquery(holder), Subquery(first))
    queued = Exists(_queued().filter(id=OuterRef("run_id")))
    return _turns().filter(Q(lane=None) | Q(id=next_in_lane), queued, called=False)


def _called(run_id: UUID) -> bool:
    """Mark a run as called; return False if somebody else has done so first."""
    return bool(_turns().filter(run_id=run_id, called=False).update(called=True))


def _queued() -> QuerySet[models.Run]:
    return all_runs().filter(status=Status.QUEUED)


def _turns() -> QuerySet[models.Turn]:
    return models.Turn.objects.using(database())


def _row(run_id: UUID, turn: Turn) -> models.Turn:
    return models.Turn(run_id=run_id, lane=turn.lane, pool=turn.pool)
