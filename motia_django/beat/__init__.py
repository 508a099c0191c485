"""Beat: the Steps' schedules join whichever of its schedulers the project has chosen."""

from __future__ import annotations

from typing import Any

from celery import Celery
from celery.beat import Scheduler, Service
from celery.utils.imports import load_extension_class_names, symbol_by_name
from django.apps import apps

from motia_django import ticks
from motia_django.beat.heeding import heeding
from motia_django.registry import registry

DATABASE_APP = "django_celery_beat"
_NAMES = "celery.beat_schedulers"
"""The entry points that give schedulers short names, such as `-S django`."""


class StepService(Service):
    """Beat's service, with a scheduler that heeds operators and knows the Steps."""

    def get_scheduler(self, lazy: bool = False, extension_namespace: str = _NAMES) -> Scheduler:
        """Return the scheduler. (Beat makes it before it sends `beat_init`, which is too late.)"""
        self.scheduler_cls = adapted(self.scheduler_cls, extension_namespace)
        return super().get_scheduler(lazy, extension_namespace)


def join(app: Celery) -> None:
    """Make `celery beat` use our service."""
    if not issubclass(app.Beat.Service, StepService):
        app.Beat.Service = type("Service", (StepService, app.Beat.Service), {})


def join_worker(sender: Any, **kwargs: Any) -> None:
    """Do the same for a worker that is being set up and may have a beat inside (`worker -B`)."""
    try:
        sender.scheduler = adapted(sender.scheduler)
    except (
        ImportError,
        AttributeError,
    ):  # no such scheduler, as beat itself will say if there is one
        return


def adapted(scheduler: Any, names: str = _NAMES) -> Any:
    """Return the scheduler class to use in place of `scheduler`, a class or the name of one.

    It heeds what operators say of schedules; a subclass of `DatabaseScheduler`, a project's own
    too, also knows the Steps.
    """
    short_names: Any = load_extension_class_names(names)
    found: Any = symbol_by_name(scheduler, aliases=dict(short_names))
    if apps.is_installed(DATABASE_APP):
        from django_celery_beat.schedulers import DatabaseScheduler

        from motia_django.beat.database import aware_of_steps

        found = aware_of_steps(found) if issubclass(found, DatabaseScheduler) else found
    return heeding(found)


def catch_up(sender: Service, **kwargs: Any) -> None:
    """Make up for missed ticks when beat starts, even if the file that it remembers in is lost.

    Rows of the database are not lost; they also remember since when a schedule was not paused.
    While the database is away, the scheduler tries again as it goes round.
    """
    scheduler: Any = sender.scheduler
    if not _remembers_in_rows(scheduler):
        scheduler.owes_missed_ticks = not ticks.catch_up(registry().schedules)


def _remembers_in_rows(scheduler: Scheduler) -> bool:
    if not apps.is_installed(DATABASE_APP):
        return False
    from django_celery_beat.schedulers import DatabaseScheduler

    return isinstance(scheduler, DatabaseScheduler)
