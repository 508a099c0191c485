"""Wiring: when Django is ready, discover the Steps and join Celery, beat and the checks."""

from __future__ import annotations

import traceback
from typing import Any

from celery.signals import beat_init, worker_init
from django.apps import AppConfig, apps
from django.conf import settings
from django.utils.translation import gettext_lazy as _

_ENTRY_POINTS = {
    f"{package}.{kind}" for package in ("django.core", "motia_django") for kind in ("wsgi", "asgi")
}


class MotiaConfig(AppConfig):
    """The Django app of motia_django."""

    name = "motia_django"
    label = "motia"
    verbose_name = _("Motia Steps")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Find the Steps, and make them tasks, schedules and checks of the project."""
        from motia_django import (
            beat,
            checks,
            conf,
            discovery,
            loggers,
            pools,
            registry,
            sentry,
            strangers,
            upkeep,
        )

        if conf.are_readable():
            _install_steps()
        checks.register()
        sentry.watch()
        if apps.is_installed("drf_spectacular"):
            from motia_django import openapi  # noqa: F401
        if settings.DEBUG:
            loggers.show_in_development()
        worker_init.connect(_refuse_to_work, dispatch_uid="motia.worker_init.refuse")
        worker_init.connect(upkeep.join_worker, dispatch_uid="motia.worker_init.upkeep")
        worker_init.connect(strangers.join_worker, dispatch_uid="motia.worker_init.strangers")
        worker_init.connect(pools.join_worker, dispatch_uid="motia.worker_init.pools")
        worker_init.connect(beat.join_worker, dispatch_uid="motia.worker_init.beat")
        beat_init.connect(_refuse_to_work, dispatch_uid="motia.beat_init.refuse")
        beat_init.connect(beat.catch_up, dispatch_uid="motia.beat_init.catch_up")
        if _is_being_served():
            discovery.refuse_to_start(registry.registry())


def _install_steps() -> None:
    """Find the Steps, and make them tasks and schedules; without settings there can be none."""
    from motia_django import beat, celery_app, discovery, registry, tasks

    app = celery_app.adopt()
    steps = discovery.discover()
    registry.install(steps)
    tasks.register(steps)
    beat.join(app)
    if steps.schedules:
        from motia_django import schedule

        schedule.join_beat(app, steps)


def _refuse_to_work(**kwargs: Any) -> None:
    """Keep a Celery worker or beat from starting while settings or Step files are wrong."""
    from motia_django import discovery, registry
    from motia_django.exceptions import SettingsError, StepFilesError

    try:
        discovery.refuse_to_start(registry.registry())
    except (SettingsError, StepFilesError) as error:
        raise SystemExit(str(error)) from None


def _is_being_served() -> bool:
    """Return whether a WSGI or ASGI server sets Django up; commands run the checks themselves."""
    frames = traceback.walk_stack(None)
    return any(frame.f_globals.get("__name__") in _ENTRY_POINTS for frame, _ in frames)
