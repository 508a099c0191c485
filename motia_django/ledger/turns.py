"""Whose turn it is: order within a lane, and so many at once of a pool.

A run with an order or a limit has a row in `motia_turn` until it is finished. Two unique columns
hold what must not be held twice, so whatever races there are, the database says no.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Case, Count, Exists, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce

from motia_django import by_hand, models
from motia_django.delivery import Delivery, Turn
from motia_django.ledger.rows import all_runs, database, united
from motia_django.runs import UNFINISHED, Run, Status

Freed = tuple[Turn, int | None]
"""A lane and a pool in which there may be room, and how many runs of the pool may go on at once."""
AT_ONCE = 200
"""For how many lanes and pools it is asked in one statement who may go on.

SQLite takes no more than 500 questions in one. Where no limit says how many runs of a pool are
called up at once, so many are.
"""
_Question = tuple[str, list[Any]]
"""A statement that reads turns, and its values."""
_UNFINISHED = ", ".join(f"'{each}'" for each in UNFINISHED)
_LEFT_BEHIND = (
    f"NOT EXISTS (SELECT 1 FROM {models.Run._meta.db_table} AS run"
    f" WHERE run.id = run_id AND run.status IN ({_UNFINISHED}))"
)
_NAME = "?"
"""Stands for the lane or the pool in a question that is asked of many."""


def keep(runs: Sequence[Run]) -> None:
    """Let these new runs wait for their turns, in this order."""
    rows = [_row(run.id, run.turn) for run in runs if run.turn is not None]
    if rows:
        _turns().bulk_create(rows, batch_size=500)


def lock(run_id: UUID) -> models.Turn | None:
    """Lock a run's turn, if it has one, before the run, as `take` does, and return it.

    Else two could wait for each other.
    """
    return _turns().select_for_update().filter(run_id=run_id).first()


def lock_all(run_ids: Sequence[UUID]) -> None:
    """Lock many runs' turns before the runs, in the order in which `call` does."""
    _locked(list(_turns().filter(run_id__in=run_ids).values_list("id", flat=True)))


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


def free(row: models.Turn | None, *, finished: bool) -> Turn | None:
    """Give back what a run holds by its turn, which is locked: its slot, if finished its lane too.

    Return what is free.
    """
    if row is None:
        return None
    if finished:
        _turns().filter(id=row.id).delete()
        return Turn(lane=row.lane, pool=row.pool)
    _turns().filter(id=row.id).update(slot=None, called=False)
    return Turn(pool=row.pool)


def call(freed: Sequence[Freed]) -> list[UUID]:
    """Call up the queued runs that may go on now in these lanes and pools, each once.

    It takes a few statements for all that are given, which are `AT_ONCE` at most.
    """
    limits = {turn.pool: limit for turn, limit in freed if turn.pool is not None}
    lanes = {turn.lane: limit for turn, limit in freed if turn.lane is not None}
    heads = _heads(lanes)
    limits |= {each.pool: lanes[each.lane] for each in heads if each.lane and each.pool}
    alone = [each for each in heads if each.pool is None]
    return _called([*alone, *_firsts(limits)])


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
    return by_hand.delete(models.Turn, database(), _LEFT_BEHIND)


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


def _heads(lanes: Iterable[str]) -> list[models.Turn]:
    """Return whose turn it is in each of these lanes, where he waits to be called."""
    if not lanes:
        return []
    holders = _turns().filter(holds__in=lanes)
    found = _answers([_compiled(holders), *_for_each(_first, lanes)])
    heads = {each.lane: each for each in found} | {each.lane: each for each in found if each.holds}
    waiting = {each.run_id: each for each in heads.values() if not each.called}
    if not waiting:
        return []
    queued = _queued().filter(id__in=list(waiting)).values_list("id", flat=True)
    return [waiting[each] for each in queued]


def _first(lane: str) -> QuerySet[models.Turn]:
    return _turns().filter(lane=lane).order_by("id")[:1]


def _firsts(limits: Mapping[str, int | None]) -> list[models.Turn]:
    """Return the runs of each pool that go first, as many as there is room for."""
    rooms = _rooms(limits)
    questions: list[_Question] = []
    for room in sorted({room for room in rooms.values() if room > 0}):
        pools = [pool for pool, its_own in rooms.items() if its_own == room]
        questions += _for_each(partial(_unblocked, room=room), pools)
    return _answers(questions) if questions else []


def _rooms(limits: Mapping[str, int | None]) -> dict[str, int]:
    """Return for how many runs each pool has room; for many of them where nothing limits it."""
    limited = [pool for pool, limit in limits.items() if limit is not None]
    taken = _turns().filter(pool__in=limited, called=True).values_list("pool")
    counts = dict(taken.annotate(Count("id")).order_by()) if limited else {}
    return {
        pool: AT_ONCE if limit is None else limit - counts.get(pool, 0)
        for pool, limit in limits.items()
    }


def _unblocked(pool: str, *, room: int) -> QuerySet[models.Turn]:
    """Return the first turns of a pool's queued runs, not called yet, whose lane lets them go."""
    holder = _turns().filter(holds=OuterRef("lane")).values("id")[:1]
    first = _turns().filter(lane=OuterRef("lane")).order_by("id").values("id")[:1]
    next_in_lane = Coalesce(Subquery(holder), Subquery(first))
    queued = Exists(_queued().filter(id=OuterRef("run_id")))
    waiting = _turns().filter(Q(lane=None) | Q(id=next_in_lane), queued, called=False, pool=pool)
    return waiting.order_by("id")[:room]


def _for_each(
    question: Callable[[str], QuerySet[models.Turn]], names: Iterable[str]
) -> list[_Question]:
    """Return a question for each of these lanes or pools; Django composes it once."""
    sql, values = _compiled(question(_NAME))
    return [(sql, [name if each == _NAME else each for each in values]) for name in names]


def _compiled(turns: QuerySet[models.Turn]) -> _Question:
    sql, values = turns.query.get_compiler(using=database()).as_sql()
    return sql, list(values)


def _answers(questions: Sequence[_Question]) -> list[models.Turn]:
    """Return the turns that are the answers to all of these questions, in one statement."""
    return list(_turns().raw(*united(questions)))


def _called(turns: Sequence[models.Turn]) -> list[UUID]:
    """Mark turns as called; return the runs of those that nobody else has called first."""
    if not turns:
        return []
    if len(turns) == 1:
        is_first = _turns().filter(id=turns[0].id, called=False).update(called=True)
        return [turns[0].run_id] if is_first else []
    with transaction.atomic(using=database()):
        called = [each for each in _locked([each.id for each in turns]) if not each.called]
        _turns().filter(id__in=[each.id for each in called]).update(called=True)
    return [each.run_id for each in called]


def _locked(ids: Sequence[int]) -> list[models.Turn]:
    """Lock turns in the order of their ids: else two who lock many could wait for each other.

    By id alone: by an index InnoDB would lock them in the order of that.
    """
    found = _turns().filter(id__in=ids).order_by("id")
    return list(found.select_for_update()) if ids else []


def _queued() -> QuerySet[models.Run]:
    return all_runs().filter(status=Status.QUEUED)


def _turns() -> QuerySet[models.Turn]:
    return models.Turn.objects.using(database())


def _row(run_id: UUID, turn: Turn) -> models.Turn:
    return models.Turn(run_id=run_id, lane=turn.lane, pool=turn.pool)
