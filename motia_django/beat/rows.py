"""The Steps' schedules as rows of django-celery-beat, kept the same as the Steps' files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, router, transaction
from django.db.models import Q, QuerySet
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from motia_django import ledger, ticks
from motia_django.beat.crontabs import nearest
from motia_django.registry import Listener, Registry
from motia_django.schedule import entry_name
from motia_django.tasks import TICK
from motia_django.triggers import CronTrigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """The names of the rows, by what had to be done about them."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    paused: list[str] = field(default_factory=list)
    """Those of the changed and unchanged that are not enabled, and stay so."""
    taken: list[str] = field(default_factory=list)
    """Names that somebody's own periodic task has, so that the schedule has no row."""


def enabled_by_name() -> dict[str, bool]:
    """Return whether each of the Steps' rows may run, by its name."""
    return dict(_owned().values_list("name", "enabled"))


def set_enabled(name: str, enabled: bool) -> bool:
    """Let a Step's row run, or not; return False if that was so already, or there is none."""
    row = _owned().filter(name=name).exclude(enabled=enabled).first()
    if row is None:
        return False
    row.enabled = enabled
    row.save()  # which is what beat listens for
    return True


def refresh(listener: Listener) -> None:
    """Make the row of a schedule, if it has one, say when it is due now."""
    row = _owned().filter(name=entry_name(listener)).first()
    if row is not None:
        _change(row, listener)


def reconcile(steps: Registry) -> Reconciled:
    """Make the rows agree with the Steps: add, change and remove what has to be.

    The Steps say what runs and when. Whether it runs is the operator's: `enabled` and all else that
    the admin lets one edit stays. Rows of other tasks are not touched.

    A pause that was said of one schedule goes with its trigger, where this has another index now.
    """
    _move_pauses()
    wanted = {entry_name(each): each for each in steps.schedules}
    found = {row.name: row for row in _candidates(wanted)}
    done = Reconciled()
    for name, listener in wanted.items():
        row = found.get(name)
        if row is None:
            (done.added if _add(name, listener) else done.unchanged).append(name)
        elif not is_owned(row):
            done.taken.append(name)
        else:
            (done.changed if _change(row, listener) else done.unchanged).append(name)
            done.paused.extend([] if row.enabled else [name])
    for name, row in found.items():
        if name not in wanted and is_owned(row):
            row.delete()
            done.removed.append(name)
    return done


def remove() -> list[str]:
    """Delete every row that is a Step's, or was; return their names."""
    names = list(_owned().values_list("name", flat=True))
    _owned().filter(name__in=names).delete()
    return names


def is_ours(name: str, entry: Mapping[str, Any]) -> bool:
    """Return whether an entry of `beat_schedule` is a Step's."""
    return name.startswith(ticks.PREFIX) and entry.get("task") == TICK


def is_owned(row: PeriodicTask) -> bool:
    """Return whether a row is a Step's, or was."""
    return is_ours(row.name, {"task": row.task})


def listener_of(row: PeriodicTask, steps: Registry) -> Listener | None:
    """Return the trigger that a row stands for."""
    if not is_owned(row):
        return None
    return next((each for each in steps.schedules if entry_name(each) == row.name), None)


def enabled(steps: Registry) -> list[PeriodicTask]:
    """Return the rows of the Steps' triggers that nobody has paused."""
    names = [entry_name(each) for each in steps.schedules]
    return list(_owned().filter(enabled=True, name__in=names))


def _move_pauses() -> None:
    """Let the pauses that rows hold go to the rows of their triggers' new indexes, or end."""
    enabled = enabled_by_name()
    moved = {
        ticks.entry_name(row.step, row.index): (row, index)
        for row, index in ledger.placed()
        if row.is_paused and row.in_row and row.index != index
    }
    moved = {name: found for name, found in moved.items() if not enabled.get(name)}
    with transaction.atomic(using=router.db_for_write(PeriodicTask)):
        for name, (row, index) in moved.items():
            ledger.move_pause(row, index)
            set_enabled(name, True)
        for row, index in moved.values():
            if index is not None:
                set_enabled(ticks.entry_name(row.step, index), False)


def _owned() -> QuerySet[Any]:
    rows: QuerySet[Any] = PeriodicTask.objects.select_related("crontab")
    return rows.filter(name__startswith=ticks.PREFIX, task=TICK)


def _candidates(wanted: Mapping[str, Listener]) -> QuerySet[Any]:
    named: QuerySet[Any] = PeriodicTask.objects.filter(name__in=list(wanted))
    ours = Q(name__startswith=ticks.PREFIX, task=TICK)
    rows: QuerySet[Any] = PeriodicTask.objects.select_related("crontab")
    return rows.filter(ours | Q(pk__in=named))


def _add(name: str, listener: Listener) -> bool:
    """Insert a row; return False if another beat has just done so."""
    override = ledger.override_of(listener.step.name, listener.index)
    rests = override is not None and override.is_paused
    row = PeriodicTask(name=name, task=TICK, enabled=not rests, **_facts(listener))
    try:
        with transaction.atomic(using=router.db_for_write(PeriodicTask)):
            row.save(force_insert=True)
    except (IntegrityError, ValidationError):
        return False
    return True


def _change(row: PeriodicTask, listener: Listener) -> bool:
    """Make a row say what the Step says; return whether it said anything else."""
    facts = _facts(listener, row)
    different = [name for name, value in facts.items() if getattr(row, name) != value]
    if not different:
        return False
    for name in different:
        setattr(row, name, facts[name])
    row.last_run_at = None  # what the new times would have been in the past was not missed
    row.save()
    return True


def _facts(listener: Listener, row: PeriodicTask | None = None) -> dict[str, Any]:
    """Return the columns that are the Step's; all others are the operator's."""
    trigger = listener.trigger
    assert isinstance(trigger, CronTrigger)
    override = ledger.override_of(listener.step.name, listener.index)
    timing = ticks.in_force(ticks.declared(trigger), override)
    is_own = override is not None and override.expression
    first = (
        f"{timing}: Step {listener.step.name} of {listener.step.app}."
        f" {'An operator' if is_own else 'Its file'} says when; pause it here."
    )
    _, *more = row.description.split("\n") if row is not None else [""]
    return {
        "args": json.dumps([listener.step.name, listener.index]),
        "crontab": _crontab(nearest(timing.expression, str(timing.zone)), row),
        "interval": None,
        "solar": None,
        "clocked": None,
        "description": "\n".join([first, *more]),
    }


def _crontab(wanted: Mapping[str, Any], row: PeriodicTask | None) -> CrontabSchedule:
    """Return the row's crontab if it is right, or another that is."""
    now = row.crontab if row is not None else None
    if now is not None and all(getattr(now, name) == value for name, value in wanted.items()):
        return now
    first = CrontabSchedule.objects.filter(**wanted).order_by("pk").first()
    return first or CrontabSchedule.objects.create(**wanted)
