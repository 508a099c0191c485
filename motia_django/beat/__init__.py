"""Beat: the Steps' schedules join whichever of its schedulers the project has chosen."""

from __future__ import annotations

from typing import Any

from celery import Celery
from celery.beat import Scheduler, Service
from celery.utils.imports import load_extension_class_names, symbol_by_name
from django.apps import apps

from motia_django import ticks
from motia_django.registry import registry

DATABASE_APP = "django_celery_beat"
_NAMES = "celery.beat_schedulers"
"""The entry points that give schedulers short names, such as `-S django`."""


class StepService(Service):
    """Beat's service, with a `DatabaseScheduler` replaced by one that knows the Steps."""

    def get_scheduler(self, lazy: bool = False, extension_namespace: str = _NAMES) -> Scheduler:
        """Return the scheduler. (Beat makes it before it sends `beat_init`, which is too late.)"""
        self.scheduler_cls = adapted(self.scheduler_cls, extension_namespace)
        return super().get_scheduler(lazy, extension_namespace)


def join(app: Celery) -> None:
    """Make `celery beat` use our service, if django-celery-beat is there to be used."""
    if apps.is_installed(DATABASE_APP) and not issubclass(app.Beat.Service, StepService):
        app.Beat.Service = type("Service", (StepService, app.Beat.Service), {})


def join_worker(sender: Any, **kwargs: Any) -> None:
    """Do the same for a worker that is being set up and may have a beat inside (`worker -B`)."""
    if apps.is_installed(DATABASE_APP):
        sender.scheduler = adapted(sender.scheduler)


def adapted(scheduler: Any, names: str = _NAMES) -> Any:
    """Return the scheduler class to use in place of `scheduler`, a class or the name of one.

    A subclass of `DatabaseScheduler`, a project's own too, becomes one that knows the Steps.
    """
    from django_celery_beat.schedulers import DatabaseScheduler

    from motia_django.beat.database import aware_of_steps

    short_names: Any = load_extension_class_names(names)
    found = symbol_by_name(scheduler, aliases=dict(short_names))
    return aware_of_steps(found) if issubclass(found, DatabaseScheduler) else scheduler


def catch_up(sender: Service, **kwargs: Any) -> None:
    """Make up for missed ticks when beat starts, even if the file that it remembers in is lost.

    Rows of the database are not lost; they also remember since when a schedule was not paused.
    """
    if not _remembers_in_rows(sender.scheduler):
        ticks.catch_up(registry().schedules)


def _remembers_in_rows(scheduler: Scheduler) -> bool:
    if not apps.is_installed(DATABASE_APP):
        return False
    from django_celery_beat.schedulers import DatabaseScheduler

    return isinstance(scheduler, DatabaseScheduler)
