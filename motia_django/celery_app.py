"""The project's own Celery app: found once, when Django is ready, and kept."""

from __future__ import annotations

import importlib
import importlib.util
import os
from dataclasses import dataclass
from typing import Any

from celery import Celery, current_app
from django.core.signals import setting_changed

_EAGER = ("task_always_eager", "task_eager_propagates")
_app: Celery | None = None


def adopt() -> Celery:
    """Find the project's app and keep it; import `<project>.celery` if nobody has yet.

    A project whose package does not import its Celery app leaves web processes with Celery's
    default app, which publishes to a RabbitMQ on localhost whatever the settings say.
    """
    global _app
    if not is_the_projects(_current()):
        _import_project_module()
    _app = _current()
    setting_changed.connect(_follow_override, dispatch_uid="motia.celery_app.follow_override")
    return _app


def project_app() -> Celery:
    """Return the project's Celery app, or Celery's default one if the project has none."""
    return _app or adopt()


def is_the_projects(app: Celery) -> bool:
    """Return whether `app` was made by the project, not by Celery for want of one."""
    return bool(app.main != "default")


def task_name(step: str) -> str:
    """Return the name of the Celery task that runs a Step."""
    return f"motia.{step}"


def setting_name(name: str) -> str:
    """Return what the project calls one of Celery's options: `CELERY_TASK_ALWAYS_EAGER`.

    To change one, use this name: up to Celery 5.6 what has it hides what is set without namespace.
    """
    namespace = getattr(project_app(), "namespace", None)
    return f"{namespace}_{name}".upper() if namespace else name


def _follow_override(*, setting: str, value: Any, **kwargs: Any) -> None:
    """Make `override_settings(CELERY_TASK_ALWAYS_EAGER=True)` work whenever a test uses it.

    Celery reads Django's settings once, so that it would depend on which test was the first.
    """
    if setting in {setting_name(name) for name in _EAGER}:
        project_app().conf[setting] = bool(value)


def _current() -> Celery:
    app: Any = current_app
    return app._get_current_object()  # type: ignore[no-any-return]


def _import_project_module() -> None:
    package = os.environ.get("DJANGO_SETTINGS_MODULE", "").partition(".")[0]
    name = f"{package}.celery"
    if package and _exists(name):
        importlib.import_module(name)


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLimits:
    """Celery's own limits of the project for one task, in seconds; a message's go before."""

    soft: float | None
    """`task_soft_time_limit`: an exception is raised in what takes longer."""
    hard: float | None
    """`task_time_limit`: the process of what takes longer is ended."""


def time_limits(step: str) -> TimeLimits:
    """Return the limits that the project sets to the task of a Step, or to all."""
    app = project_app()
    task: Any = app.tasks.get(task_name(step))
    return TimeLimits(
        soft=getattr(task, "soft_time_limit", None) or app.conf.task_soft_time_limit,
        hard=getattr(task, "time_limit", None) or app.conf.task_time_limit,
    )
