"""django-celery-beat's `DatabaseScheduler`, made aware of the Steps: it may show and pause them."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

from motia_django import schedule
from motia_django.beat import rows
from motia_django.moments import as_kept, utc
from motia_django.registry import registry

logger = logging.getLogger("motia.beat")

_PAUSES = (0.5, 1.0, 2.0)
"""Seconds between tries to reconcile: SQLite is busy when two beats start at once."""


class StepEntry(ModelEntry):  # type: ignore[misc]
    """A row that, if it is a Step's, runs on the Step's own expression, seconds and all."""

    def __init__(self, model: PeriodicTask, app: Any = None) -> None:
        super().__init__(model, app=app)
        listener = rows.listener_of(model, registry())
        self._is_ours = listener is not None
        if listener is not None:
            self.__dict__.update(schedule.entry(listener), kwargs={})
            # Of a project without time zones it is naive, which Celery would take for UTC.
            self.last_run_at: datetime = utc(model.last_run_at)

    def __next__(self) -> ModelEntry:
        """Return the entry after it ran just now: noted as the project's tables have times."""
        if not self._is_ours:
            return super().__next__()
        self.model.last_run_at = as_kept(datetime.now(UTC))
        self.model.total_run_count += 1
        self.model.no_changes = True  # of its times: beat need not read them again
        return type(self)(self.model, app=self.app)


class StepScheduler(DatabaseScheduler):  # type: ignore[misc]
    """The scheduler that keeps a row for each schedule of a Step, and reads it as the Step says."""

    Entry = StepEntry

    def setup_schedule(self) -> None:
        """Reconcile the Steps' rows before all rows are read."""
        if not registry().problems:  # else beat refuses to start, and no row may be missed
            _reconcile()
        super().setup_schedule()

    def update_from_dict(self, mapping: Mapping[str, Any]) -> None:
        """Make rows of the settings' entries; those of the Steps have theirs already."""
        others = {name: each for name, each in mapping.items() if not rows.is_ours(name, each)}
        super().update_from_dict(others)

    def all_as_schedule(self) -> dict[str, ModelEntry]:
        """Return the rows' entries; while the database is away, those that were read before.

        django-celery-beat reads all rows every five minutes, whether there is a database or not.
        """
        entries: dict[str, ModelEntry]
        try:
            entries = super().all_as_schedule()
        except (DatabaseError, InterfaceError) as error:
            if self._schedule is None:
                raise
            logger.warning("The schedules' rows cannot be read now: %s", error)
            self._last_full_sync = datetime.min  # so that they are read as soon as it is back
            entries = self._schedule
        return entries

    def enabled_models(self) -> list[PeriodicTask]:
        """Return the rows that may run.

        django-celery-beat leaves out what it takes to be hours away, by fields that are only
        near to a Step's expression; ours are all there, but for those of Steps that are gone.
        """
        theirs = [row for row in super().enabled_models() if not rows.is_owned(row)]
        return [*theirs, *rows.enabled(registry())]


def aware_of_steps(scheduler: type[Any]) -> type[Any]:
    """Return a subclass of `scheduler`, itself one of `DatabaseScheduler`, that knows the Steps."""
    if issubclass(scheduler, StepScheduler):
        return scheduler
    if scheduler is DatabaseScheduler:
        return StepScheduler
    entry = scheduler.Entry
    own = StepEntry if entry is ModelEntry else type(entry.__name__, (StepEntry, entry), {})
    return type(scheduler.__name__, (StepScheduler, scheduler), {"Entry": own})


def _reconcile() -> None:
    for pause in _PAUSES:
        try:
            return _told(rows.reconcile(registry()))
        except OperationalError as error:
            logger.warning("The schedules' rows: %s; trying again in %s s", error, pause)
            time.sleep(pause)
    return _told(rows.reconcile(registry()))


def _told(done: rows.Reconciled) -> None:
    for what in ("added", "changed", "removed"):
        for name in getattr(done, what):
            logger.info("Schedule %s: %s", what, name)
    for name in done.taken:
        logger.error("Schedule %s does not run: its name is taken by another periodic task", name)
