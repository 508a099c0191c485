"""Cron triggers as entries of celery-beat."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from celery import Celery
from celery.beat import BeatLazyFunc
from celery.schedules import BaseSchedule, schedstate

from motia_django.registry import Listener, Registry
from motia_django.tasks import TICK
from motia_django.triggers import CronTrigger
from motia_django.triggers.cron import CronExpression

_NEVER = timedelta(days=1)


class CronSchedule(BaseSchedule):
    """A cron expression in a time zone, for Celery's schedulers."""

    def __init__(self, text: str, zone: str | None = None, **options: Any) -> None:
        self.text = text
        self.zone = zone
        self.expression = CronExpression.parse(text)
        super().__init__(**options)

    def is_due(self, last_run_at: datetime) -> schedstate:
        """Return whether a time has been due since `last_run_at`, and the seconds to the next."""
        now = datetime.now(UTC)
        due = self._after(last_run_at)
        if due is None or due > now:
            return schedstate(False, self._seconds(due, now))
        return schedstate(True, self._seconds(self._after(now), now))

    def remaining_estimate(self, last_run_at: datetime) -> timedelta:
        """Return the time from now to the next due time after `last_run_at`."""
        due = self._after(last_run_at)
        return _NEVER if due is None else due - datetime.now(UTC)

    def _after(self, moment: datetime) -> datetime | None:
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return self.expression.after(moment.astimezone(UTC), self._zone())

    def _zone(self) -> tzinfo:
        return ZoneInfo(self.zone) if self.zone else self.app.timezone

    @staticmethod
    def _seconds(due: datetime | None, now: datetime) -> float:
        return ((due - now) if due else _NEVER).total_seconds()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CronSchedule):
            return NotImplemented
        return (self.text, self.zone) == (other.text, other.zone)

    def __hash__(self) -> int:
        return hash((self.text, self.zone))

    def __reduce__(self) -> tuple[type[CronSchedule], tuple[str, str | None]]:
        return type(self), (self.text, self.zone)

    def __repr__(self) -> str:
        return f"<cron: {self.text}{f' in {self.zone}' if self.zone else ''}>"


def entries(registry: Registry) -> dict[str, dict[str, Any]]:
    """Return beat's entry for each cron trigger, by the entry's name."""
    return {_name(each): _entry(each) for each in registry.schedules}


def join_beat(app: Celery, registry: Registry) -> None:
    """Add the Steps' schedules to those of the project."""
    app.conf.beat_schedule = {**(app.conf.beat_schedule or {}), **entries(registry)}


def due_now(text: str, zone: str | None) -> str | None:
    """Return when the schedule was due last: what beat puts into the message it sends."""
    schedule = CronSchedule(text, zone)
    latest = schedule.expression.latest(datetime.now(UTC), schedule._zone())
    return latest.isoformat() if latest else None


def _name(listener: Listener) -> str:
    return f"motia:{listener.step.name}:{listener.index}"


def _entry(listener: Listener) -> dict[str, Any]:
    trigger = listener.trigger
    assert isinstance(trigger, CronTrigger)
    text, zone = trigger.schedule.text, trigger.timezone.key if trigger.timezone else None
    return {
        "task": TICK,
        "schedule": CronSchedule(text, zone),
        "args": (listener.step.name, listener.index, BeatLazyFunc(due_now, text, zone)),
    }
