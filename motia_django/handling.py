"""Calling a Step's condition and handler, as the run that is going on here and now."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded
from django.utils import timezone

from motia_django import calls, tracing
from motia_django.celery_app import time_limits
from motia_django.context import AsyncContext, BaseContext, Context, Invoke, twin
from motia_django.exceptions import (
    Abandoned,
    CalledOff,
    InvalidResponse,
    Snooze,
    TimedOut,
    TriggerGone,
)
from motia_django.registry import registry
from motia_django.runs import ANSWERED, INVOKE, Run, Status
from motia_django.steps import Step
from motia_django.triggers import Trigger
from motia_django.triggers.base import Condition

logger = logging.getLogger("motia.runs")

_SOONEST, _LATEST = timedelta(seconds=5), timedelta(minutes=10)
"""Between two looks whether the trigger of a run is here."""
_KINDS: tuple[type[BaseContext], ...] = (Context, AsyncContext)
"""Of contexts: for plain code, and for async code."""


def handled(
    run: Run, step: Step, trigger: Trigger, given: Any, scope: tracing.Scope, invoke: Invoke
) -> dict[str, Any]:
    """Ask the condition and call the handler, as the current run of this thread.

    Return the status, and what else of the outcome is known then. Nothing is raised.
    """
    own = _KINDS[step.is_async](scope, run, trigger, given, invoke)

    def context(is_async: bool) -> BaseContext:
        return own if is_async is step.is_async else twin(own, _KINDS[is_async])

    began = time.monotonic()
    with tracing.entered(scope):
        try:
            condition = trigger.condition if run.trigger != INVOKE else None
            if condition is not None and not _met(condition, given, context):
                return {"status": Status.SKIPPED}
            value = _answer(run, step, trigger, given, context)
            if trigger.is_open(value):
                return {"status": Status.RUNNING, "value": value, "scope": scope}
            return {"status": Status.SUCCEEDED, "value": value}
        except Exception as error:
            return failed(run, trigger, error, time.monotonic() - began)


def failed(run: Run, trigger: Trigger, error: Exception, lasted: float = 0) -> dict[str, Any]:
    """Return what became of a run by an exception: an answer, a snooze, or the end of it."""
    status = trigger.status_of(error)
    if status is not None:
        return {"status": Status.SUCCEEDED, "value": {"status": status}, "error": error}
    if isinstance(error, CalledOff) and run.trigger in ANSWERED:
        return {"status": Status.CANCELLED, "error": error}
    if isinstance(error, Snooze) and run.trigger not in ANSWERED:
        return _snoozed(run, trigger, error)
    if isinstance(error, SoftTimeLimitExceeded):
        error = TimedOut(f"it took longer than {_soft_limit(run, trigger)}")
    elif isinstance(error, Abandoned):
        limit, text = _hard_limit(run, trigger)
        if limit is not None and lasted > limit:
            error = TimedOut(f"{text}: {error}")
    return {"status": Status.DEAD, "error": error}


def left_to_others(run: Run, error: TriggerGone) -> dict[str, Any]:
    """Return that a run goes on where its trigger is: while a release lasts, others may have it."""
    waited = timezone.now() - (run.tried_since or timezone.now())
    after = min(max(_SOONEST, waited / 10), _LATEST)
    logger.warning("Run %s waits %.0f s more: %s", run.id, after.total_seconds(), error)
    return {"status": Status.SCHEDULED, "error": Snooze(str(error), after=after)}


def _snoozed(run: Run, trigger: Trigger, error: Snooze) -> dict[str, Any]:
    """Return that a run goes on later, unless its time is over: it has had its last attempt."""
    delivery, since = trigger.delivery, run.tried_since
    if since is None or delivery.left(timezone.now() - since):
        return {"status": Status.SCHEDULED, "error": error}
    text = f"its retryFor of {delivery.retry_for:g} s is over, and it would go on later"
    return {"status": Status.DEAD, "error": TimedOut(f"{text}: {error}")}


def _met(condition: Condition, given: Any, context: Any) -> bool:
    is_async = calls.is_async(condition)
    arguments = (given, context(is_async))[: calls.arity(condition, 2)]
    return bool(calls.call(condition, *arguments, known_async=is_async))


def _answer(
    run: Run, step: Step, trigger: Trigger, given: Any, context: Callable[[bool], BaseContext]
) -> Any:
    """Call the handler and check its result; if a trigger started it, through what is before it."""
    subject = f"Step {run.step!r}"

    def handle(input: Any) -> Any:
        own = context(step.is_async)
        own.input = input
        arguments = (input, own)[: step.arity]
        limit = _limit(run, trigger) if step.is_async else None
        value = calls.call(step.handler, *arguments, limit=limit, known_async=step.is_async)
        return trigger.clean_output(value, subject, input)

    if run.trigger != INVOKE:
        return trigger.answer(handle, given, context, subject)
    value = handle(given)
    if trigger.is_open(value):
        text = "a generator is sent as the answer to a request; invoked by name there is none"
        raise InvalidResponse(f"The result of {subject}", {"": [text]})
    return value


def _limit(run: Run, trigger: Trigger) -> float | None:
    """Return the seconds that an attempt may take; who waits for an answer sets limits himself."""
    waits = run.trigger in ANSWERED
    return None if waits else trigger.delivery.visibility_timeout


def _soft_limit(run: Run, trigger: Trigger) -> str:
    """Return in words the limit at which Celery has raised its exception in a run.

    An async handler's own limit is its event loop's.
    """
    own, project = _limit(run, trigger), time_limits(run.step).soft
    if own is not None and not (project and registry().step(run.step).is_async):
        return f"its limit of {own:g} s"
    if project is None or run.trigger in ANSWERED:
        return "Celery's own limit"
    return f"Celery's task_soft_time_limit of {project:g} s"


def _hard_limit(run: Run, trigger: Trigger) -> tuple[float | None, str]:
    """Return after how many seconds Celery's signal to end is a limit's, and what to say then.

    The project's own counts from before the handler began.
    """
    own, project = _limit(run, trigger), time_limits(run.step).hard
    if own is not None or not project or run.trigger in ANSWERED:
        return own, f"it did not end at its limit of {own or 0:g} s"
    text = f"it took longer than Celery's task_time_limit of {project:g} s"
    return project - min(1, project / 10), text
