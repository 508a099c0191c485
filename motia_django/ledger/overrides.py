"""What operators say of single schedules, beside their files: paused, or due at other times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from motia_django import models
from motia_django.ledger.rows import database
from motia_django.registry import registry
from motia_django.triggers import CronTrigger

Key = tuple[str, int]
"""A Step's name, and the index of its trigger as the Step's file is today."""
Placed = list[tuple[models.Override, int | None]]
"""What is on record, each with the index that its trigger has today."""
LONGEST: int = models.Override._meta.get_field("declared").max_length or 0


def overrides(known: Placed | None = None) -> Mapping[Key, models.Override]:
    """Return what is on record of each schedule that an operator has ever touched.

    `known` is what was `placed` just now, if the caller has it.
    """
    found = placed() if known is None else known
    return {(row.step, index): row for row, index in found if index is not None}


def override_of(step: str, index: int) -> models.Override | None:
    """Return what is on record of one schedule."""
    rows = _rows().filter(step=step)
    return next((row for row, there in _placed(rows) if there == index), None)


def placed() -> Placed:
    """Return all that is on record, each with the index that its trigger has today.

    That is the trigger that declares what it did when the operator spoke: the one that still has
    its index, else the only one that is left. Where there is none, or nobody can say which, the
    index is None, and what he said counts for nothing.
    """
    return list(_placed(_rows()))


def lapsed(known: Placed | None = None) -> list[models.Override]:
    """Return what operators want of triggers that are not there any more, as they were declared.

    `known` is as in `overrides`.
    """
    found = placed() if known is None else known
    return [row for row, index in found if index is None and row.is_wish]


def forget_lapsed(number: int) -> models.Override | None:
    """Delete what an operator wanted of a trigger that is not there any more, and return it.

    None, and nothing is deleted, if it is gone or its trigger is back.
    """
    found = next((row for row in lapsed() if row.pk == number), None)
    is_deleted = found is not None and _rows().filter(pk=number).delete()[0]
    return found if is_deleted else None


def pause_schedule(key: Key, *, by: str, reason: str, in_row: bool) -> bool:
    """Let no tick be born that is due from now on; return False if it was paused already."""
    row = _row(key)
    now = timezone.now()
    values = {"index": key[1], "paused_at": now, "resumed_at": None, "in_row": in_row}
    told = {"paused_by": by[:255], "pause_reason": reason}
    running = _rows().filter(pk=row.pk, paused_at=None) | _rows().filter(
        pk=row.pk, resumed_at__isnull=False
    )
    return bool(running.update(**values, **told))


def resume_schedule(key: Key) -> bool:
    """Let ticks be born again that are due from now on; return False if it was not paused."""
    paused = _of(key).filter(paused_at__isnull=False, resumed_at=None)
    return bool(paused.update(resumed_at=timezone.now()))


def move_pause(row: models.Override, index: int | None) -> None:
    """Note that a pause is now in the row of its trigger's new index, or in none."""
    place = {"in_row": False} if index is None else {"index": index}
    _rows().filter(pk=row.pk).update(**place)


def retime(
    key: Key, *, expression: str, zone: str, by: str, reason: str, seen: str | None = None
) -> bool:
    """Put another expression and time zone in the place of the file's.

    Return False if that was done or dropped since it was `seen`, which is what `timing_seen` gave.
    """
    told = {"timed_by": by[:255], "timing_reason": reason}
    return _write_timing(key, seen, expression=expression, zone=zone, **told)


def restore_timing(key: Key, *, seen: str | None = None) -> bool:
    """Let the file say again when a schedule is due.

    Return False if it did so already, or something else was said since it was `seen`.
    """
    if not _of(key).exclude(expression="").exists():
        return False
    nothing = dict.fromkeys(("expression", "zone", "timed_by", "timing_reason"), "")
    return _write_timing(key, seen, **nothing)


def pause_seen(row: models.Override | None) -> str:
    """Return what tells a pause of a schedule from another: ISO 8601; empty if there is none."""
    is_there = row is not None and row.is_paused
    return row.paused_at.isoformat() if is_there and row and row.paused_at else ""


def timing_seen(row: models.Override | None) -> str:
    """Return what tells what is said of a schedule's time from what was before, or will be."""
    return row.timed_at.isoformat() if row and row.timed_at else ""


def _write_timing(key: Key, seen: str | None, **values: Any) -> bool:
    row = _row(key)
    if seen not in (None, timing_seen(row)):
        return False
    rows = _rows().filter(pk=row.pk)
    if seen is not None:
        rows = rows.filter(timed_at=row.timed_at)  # else somebody was faster just now
    return bool(rows.update(timed_at=timezone.now(), **values))


def _row(key: Key) -> models.Override:
    step, index = key
    row = override_of(step, index)
    if row is None:
        declared = _declared(step)[index]
        row, _new = _rows().get_or_create(step=step, index=index, declared=declared)
    return row


def _of(key: Key) -> QuerySet[models.Override]:
    row = override_of(*key)
    return _rows().filter(pk__in=[row.pk] if row else [])


def _placed(rows: QuerySet[models.Override]) -> Iterator[tuple[models.Override, int | None]]:
    """Yield these rows, which are all of their Steps, with the places that they have today."""
    for step, theirs in groupby(rows.order_by("step", "pk"), key=lambda row: row.step):
        free, moved = _declared(step), []
        for row in theirs:
            if free.get(row.index) == row.declared:
                del free[row.index]
                yield row, row.index
            else:
                moved.append(row)
        for row in sorted(moved, key=lambda row: not row.is_wish):
            there = [index for index, declared in free.items() if declared == row.declared]
            if len(there) == 1:
                del free[there[0]]
            yield row, there[0] if len(there) == 1 else None


def _declared(step: str) -> dict[int, str]:
    """Return what each cron trigger of a Step declares, by its index."""
    triggers = registry().step(step).triggers if step in registry() else ()
    return {
        index: trigger.declared[:LONGEST]
        for index, trigger in enumerate(triggers)
        if isinstance(trigger, CronTrigger)
    }


def _rows() -> QuerySet[models.Override]:
    return models.Override.objects.using(database())
