"""Beat's service: its scheduler, whichever it is, heeds operators and knows the Steps."""

from __future__ import annotations

from typing import Any

from celery.beat import Scheduler, Service
from celery.utils.imports import load_extension_class_names, symbol_by_name
from django.apps import apps

from motia_django.beat import DATABASE_APP
from motia_django.beat.heeding import heeding

_NAMES = "celery.beat_schedulers"
"""The entry points that give schedulers short names, such as `-S django`."""


class StepService(Service):
    """Beat's service, with a scheduler that heeds operators and knows the Steps."""

    def get_scheduler(self, lazy: bool = False, extension_namespace: str = _NAMES) -> Scheduler:
        """Return the scheduler. (Beat makes it before it sends `beat_init`, which is too late.)"""
        self.scheduler_cls = adapted(self.scheduler_cls, extension_namespace)
        return super().get_scheduler(lazy, extension_namespace)


def serve(beat: Any) -> None:
    """Make `celery beat`, the class `Beat` of an app, use our service."""
    if not issubclass(beat.Service, StepService):
        beat.Service = type("Service", (StepService, beat.Service), {})


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
