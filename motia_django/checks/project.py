"""At every `check`: what is wrong with Step files and settings."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

from django.core import checks
from django.urls import NoReverseMatch, reverse
from django.utils.module_loading import import_string

from motia_django.calls import is_async, is_generator
from motia_django.celery_app import is_the_projects, project_app
from motia_django.conf import settings
from motia_django.declarations import Problem
from motia_django.exceptions import SettingsError, did_you_mean
from motia_django.live.wake import waker
from motia_django.registry import Registry, registry
from motia_django.steps import Step
from motia_django.stores import state_store
from motia_django.stream_config import StreamConfig

Messages = Iterator[checks.CheckMessage]

BAD_SETTING = "motia.E020"
NOBODY_MAY = "motia.E022"
NOBODY_HEARS = "motia.W001"
NO_CELERY_APP = "motia.W003"
NOT_ROUTED = "motia.W004"
NO_STEPS = "motia.W005"
NEVER_DEAD = "motia.W006"
NOBODY_READS = "motia.I002"
_BEFORE_THE_FIRST = {"migrate", "makemigrations", "createsuperuser"}
"""The commands by which a project is set up, before anybody writes a Step."""


def step_files(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Report what is wrong with Step files."""
    return [_error(problem) for problem in registry().problems]


def project_settings(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Report a `MOTIA` setting that cannot be read."""
    try:
        settings()
        state_store()
        if registry().streams:
            waker()
        _check_metrics()
        _check_may()
    except SettingsError as error:
        return [checks.Error(str(error), id=BAD_SETTING)]
    return []


def who_may(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Report a `MAY` that cannot answer, which keeps everything from everybody but superusers."""
    path = settings().may
    try:
        function = import_string(path) if path else None
    except Exception:  # which `project_settings` reports
        return []
    mistake = _mistake_of(function) if callable(function) else ""
    if not mistake:
        return []
    return [
        checks.Error(
            "MOTIA['MAY']: expected a function (user, permission, step, flows) that returns True"
            f" or False, got {path!r}, which {mistake}.",
            hint="Until it can answer, the admin is closed to all but superusers.",
            id=NOBODY_MAY,
        )
    ]


def step_warnings(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Warn of Steps that are right in themselves and will not do what was meant."""
    steps = registry()
    return [
        *_unheard_topics(steps),
        *_in_vain(steps),
        *_unrouted(steps),
        *_no_steps(steps),
        *_unread_keys(steps),
    ]


def celery_app(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Warn if there is no Celery app but Celery's default one."""
    if not registry().in_background() or is_the_projects(project_app()):
        return []
    return [
        checks.Warning(
            "There is no Celery app of this project, so background Steps go to Celery's default"
            " app, which expects RabbitMQ on localhost.",
            hint="Make one in <project>/celery.py and import it in <project>/__init__.py, as"
            " Celery's guide for Django shows.",
            id=NO_CELERY_APP,
        )
    ]


def _check_metrics() -> None:
    """Raise if metrics are wanted, and what writes them is not there."""
    if settings().metrics_token is not None and find_spec("prometheus_client") is None:
        raise SettingsError(
            "MOTIA['METRICS_TOKEN']: metrics want prometheus_client, which is not installed:"
            " pip install 'motia-django[prometheus]'"
        )


def _check_may() -> None:
    """Raise if the path of the function that is asked who may do what leads to none."""
    path = settings().may
    if path is None:
        return
    try:
        function = import_string(path)
    except Exception as error:  # its module may raise anything
        raise SettingsError(f"MOTIA['MAY']: {path!r}: {type(error).__name__}: {error}") from error
    if not callable(function):
        raise SettingsError(f"MOTIA['MAY']: expected the path of a function, got {path!r}")


def _mistake_of(may: Callable[..., Any]) -> str:
    """Return why a function never gives an answer when it is asked who may do what; or nothing."""
    if isinstance(may, type):
        return "is a class"
    if is_async(may):
        return "is async"
    if is_generator(may):
        return "has a yield in it"
    try:
        inspect.signature(may).bind(None, "", "", ())
    except TypeError as error:
        return f"cannot be called so: {error}"
    except ValueError:  # it is not known what it takes
        pass
    return ""


def _error(problem: Problem) -> checks.CheckMessage:
    return checks.Error(
        problem.message, hint=problem.hint or None, obj=problem.where, id=problem.id
    )


def _unheard_topics(steps: Registry) -> Messages:
    """Yield what nobody hears, unless whoever would may be in a file that is broken."""
    if steps.problems:
        return
    heard = steps.topics()
    for step in steps:
        own = {trigger.source for _, trigger in step.triggers_of("queue")}
        for topic in sorted(step.topics - heard):
            yield checks.Warning(
                f"Step {step.name!r} enqueues to {topic!r}, and no Step listens on that topic.",
                hint=did_you_mean(topic, heard - own).strip() or None,
                obj=where(step),
                id=NOBODY_HEARS,
            )
        if step.on_dead and step.on_dead not in heard:
            yield checks.Warning(
                f"When a run of Step {step.name!r} is dead, {step.on_dead!r} is to be told"
                " (onDead), and no Step listens on that topic.",
                hint=did_you_mean(step.on_dead, heard).strip() or None,
                obj=where(step),
                id=NOBODY_HEARS,
            )


def _in_vain(steps: Registry) -> Messages:
    in_background = steps.in_background()
    for step in steps:
        if step.on_dead and step not in in_background:
            yield checks.Warning(
                f"Step {step.name!r} has onDead, and only requests start it: whoever sends one"
                " learns of its failure himself, and no message is sent.",
                hint="Leave onDead out, or let the Step enqueue what may fail later.",
                obj=where(step),
                id=NEVER_DEAD,
            )


def _unrouted(steps: Registry) -> Messages:
    served = [step for step in steps if step.triggers_of("http")]
    if served and not _reachable(served[0]):
        yield checks.Warning(
            f"There are {len(served)} http Steps, and the project's URLs do not include theirs.",
            hint='Add path("", include("motia_django.urls")) to the urlpatterns.',
            id=NOT_ROUTED,
        )


def _reachable(step: Step) -> bool:
    try:
        reverse(f"motia:{step.url_name}")
    except NoReverseMatch as error:
        return "is not a registered namespace" not in str(error)
    except Exception:
        return True  # the URLconf itself is broken, which Django's own check reports
    return True


def _no_steps(steps: Registry) -> Messages:
    is_set_up = not _BEFORE_THE_FIRST.intersection(sys.argv[1:2])
    if not len(steps) and not steps.problems and is_set_up:
        yield checks.Warning(
            "There is no Step in any installed app.",
            hint="`manage.py motia_steps new` writes the first one; Steps live in files named"
            " steps/*_step.py of an installed app.",
            id=NO_STEPS,
        )


def _unread_keys(steps: Registry) -> Messages:
    for step in steps:
        for each in step.unread:
            yield checks.Info(
                f"{each.message}, which means nothing: its Step runs as if it were not there.",
                hint=each.hint,
                obj=each.where,
                id=NOBODY_READS,
            )


def where(declared: Step | StreamConfig) -> str:
    """Return where a Step or a stream is declared, as a check tells it."""
    line = declared.line
    return f"{declared.file}:{line}" if line else str(declared.file)
