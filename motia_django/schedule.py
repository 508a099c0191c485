"""Cron triggers as entries of celery-beat."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from celery import Celery
from celery.beat import BeatLazyFunc
from celery.schedules import BaseSchedule, schedstate, schedule

from motia_django import ticks
from motia_django.registry import Listener, Registry
from motia_django.tasks import TICK
from motia_django.triggers import CronTrigger
from motia_django.triggers.cron import CronExpression, Timing

_NEVER = timedelta(days=1)
_CENTURY = timedelta(days=36525)


class CronSchedule(BaseSchedule):
    """A cron expression in a time zone, for Celery's schedulers.

    If it is that of a Step's trigger, an operator may have put another in its place: then that
    counts, as `ticks.known` has it.

    Beat's file may outlive this package in the project, so it is pickled as a schedule of Celery's,
    never due. Nothing is lost: beat takes each schedule from its configuration, not from the file.
    """

    def __init__(
        self,
        text: str,
        zone: str | None = None,
        catch_up: bool = False,
        trigger: tuple[str, int] | None = None,
        **options: Any,
    ) -> None:
        self.text = text
        self.zone = zone
        self.catch_up = catch_up
        self.trigger = trigger
        self.expression = CronExpression.parse(text)
        super().__init__(**options)

    def is_due(self, last_run_at: datetime) -> schedstate:
        """Return whether the newest due time is still to be run, and the seconds to the next.

        Older ones that came after `last_run_at` never are. One later than `ticks.GRACE` was missed:
        it is to be run only if the schedule catches up.
        """
        now = datetime.now(UTC)
        due = self._timing().latest(now)
        is_new = due is not None and due > _aware(last_run_at)
        in_time = due is not None and now - due <= ticks.GRACE
        return schedstate(is_new and (in_time or self.catch_up), self._seconds(now))

    def remaining_estimate(self, last_run_at: datetime) -> timedelta:
        """Return the time from now to the next due time after `last_run_at`."""
        due = self._timing().after(_aware(last_run_at))
        return _NEVER if due is None else due - datetime.now(UTC)

    def _seconds(self, now: datetime) -> float:
        due = self._timing().after(now)
        return ((due - now) if due else _NEVER).total_seconds()

    def _timing(self) -> Timing:
        zone = ZoneInfo(self.zone) if self.zone else self.app.timezone
        override = ticks.known.override(*self.trigger) if self.trigger else None
        return ticks.in_force(Timing(self.expression, zone), override)

    def _facts(self) -> tuple[str, str | None, bool]:
        return self.text, self.zone, self.catch_up

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CronSchedule):
            return NotImplemented
        return self._facts() == other._facts()

    def __hash__(self) -> int:
        return hash(self._facts())

    def __reduce__(self) -> tuple[Any, ...]:
        return schedule, (_CENTURY,)

    def __copy__(self) -> CronSchedule:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> CronSchedule:
        return self

    def __repr__(self) -> str:
        return f"<cron: {self.text}{f' in {self.zone}' if self.zone else ''}>"


class Birth(BeatLazyFunc):
    """What beat calls for the last argument of a tick: `ticks.bear`. It is pickled as nothing."""

    def __init__(self, step: str, index: int) -> None:
        super().__init__(ticks.bear, step, index)

    def __reduce__(self) -> tuple[Any, ...]:
        return BeatLazyFunc, (str,)


def entries(registry: Registry) -> dict[str, dict[str, Any]]:
    """Return beat's entry for each cron trigger, by the entry's name."""
    return {entry_name(each): entry(each) for each in registry.schedules}


def join_beat(app: Celery, registry: Registry) -> None:
    """Add the Steps' schedules to those of the project."""
    app.conf.beat_schedule = {**(app.conf.beat_schedule or {}), **entries(registry)}


def entry_name(listener: Listener) -> str:
    """Return the name of a trigger's entry, such as `motia:Work:0`; a long one ends in a digest."""
    return ticks.entry_name(listener.step.name, listener.index)


def entry(listener: Listener) -> dict[str, Any]:
    """Return beat's entry for a cron trigger. Beat calls `ticks.bear` for the time it was due."""
    trigger, step = listener.trigger, listener.step.name
    assert isinstance(trigger, CronTrigger)
    zone = trigger.timezone.key if trigger.timezone else None
    return {
        "task": TICK,
        "schedule": CronSchedule(
            trigger.schedule.text, zone, trigger.catch_up, (step, listener.index)
        ),
        "args": (step, listener.index, Birth(step, listener.index)),
    }


def _aware(moment: datetime) -> datetime:
    """Return a moment in UTC; a naive one is in UTC already."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
