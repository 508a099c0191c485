"""Beat: the Steps' schedules join whichever of its schedulers the project has chosen.

What does so is loaded where there is a beat.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from celery import Celery
from celery.local import PromiseProxy
from django.apps import apps

from motia_django import ticks
from motia_django.registry import registry

DATABASE_APP = "django_celery_beat"


def join(app: Celery) -> None:
    """Make `celery beat` use our service.

    An app makes its `Beat` when it is first asked for it: it has if beat is what sets Django up.
    """
    if "Beat" in vars(app):
        _join(app)
    else:
        vars(app)["Beat"] = PromiseProxy(partial(_joined, app))


def join_worker(sender: Any, **kwargs: Any) -> None:
    """Do the same for a worker that is being set up, if it has a beat inside (`worker -B`)."""
    if not sender.options.get("beat"):
        return
    from motia_django.beat.service import adapted

    try:
        sender.scheduler = adapted(sender.scheduler)
    except (
        ImportError,
        AttributeError,
    ):  # no such scheduler, as beat itself will say if there is one
        return


def catch_up(sender: Any, **kwargs: Any) -> None:
    """Make up for missed ticks when beat starts, even if the file that it remembers in is lost.

    Rows of the database are not lost; they also remember since when a schedule was not paused.
    While the database is away, the scheduler tries again as it goes round.
    """
    scheduler = sender.scheduler
    if not _remembers_in_rows(scheduler):
        scheduler.owes_missed_ticks = not ticks.catch_up(registry().schedules)


def _remembers_in_rows(scheduler: Any) -> bool:
    if not apps.is_installed(DATABASE_APP):
        return False
    from django_celery_beat.schedulers import DatabaseScheduler

    return isinstance(scheduler, DatabaseScheduler)


def _joined(app: Celery) -> Any:
    """Return an app's `Beat`, which it makes itself once nothing stands in its place."""
    del vars(app)["Beat"]
    _join(app)
    return app.Beat


def _join(app: Celery) -> None:
    from motia_django.beat.service import serve

    serve(app.Beat)
