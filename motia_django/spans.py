"""What OpenTelemetry is told: a span for each attempt of a run, and for each sending of messages.

The attributes are those of its semantic conventions where these have a word for it, else our own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from motia_django import telemetry
from motia_django.registry import registry
from motia_django.runs import ANSWERED, Outcome, Run, Status

if TYPE_CHECKING:
    from opentelemetry.trace import Span

P = ParamSpec("P")

SYSTEM = {"messaging.system": "motia"}


def of_attempts(
    perform: Callable[Concatenate[Run, P], Outcome],
) -> Callable[Concatenate[Run, P], Outcome]:
    """Give each attempt at a run a span.

    It is below the span going on here if that is of the run's trace, as an HTTP request's or an
    invoking run's is; else below the span that the run was born in, however long ago.
    """

    @wraps(perform)
    def performed(run: Run, /, *args: P.args, **kwargs: P.kwargs) -> Outcome:
        if not telemetry.is_on():
            return perform(run, *args, **kwargs)
        opened = telemetry.span_of(
            run.trace_id, run.parent_span, run.step, _facts(run), kind=_kind(run)
        )
        with opened as span:
            try:
                outcome = perform(run, *args, **kwargs)
            except BaseException:
                end(span)
                raise
        if outcome.status is not Status.RUNNING:
            end(span, outcome)
        return outcome

    return performed


def of_sending(topics: Sequence[str]) -> AbstractContextManager[Span | None]:
    """Open the span of sending messages on these topics, that their runs are born in."""
    known = sorted(set(topics))
    facts: dict[str, Any] = {
        **SYSTEM,
        "messaging.operation.name": "enqueue",
        "messaging.operation.type": "send",
    }
    if len(known) == 1:
        facts["messaging.destination.name"] = known[0]
    if len(topics) > 1:
        facts["messaging.batch.message_count"] = len(topics)
    return telemetry.span(f"enqueue {', '.join(known)}"[:255], facts, kind="PRODUCER")


def _kind(run: Run) -> str:
    """Return what kind of span it is; a request's is its server's unless another span is."""
    if run.trigger == "http" and telemetry.trace_id() is None:
        return "SERVER"
    return "INTERNAL" if run.trigger in ANSWERED else "CONSUMER"


def _facts(run: Run) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "motia.step": run.step,
        "motia.run_id": str(run.id),
        "motia.trace_id": run.trace_id,
        "motia.trigger": run.trigger,
        "motia.source": run.source,
        "motia.attempt": max(run.attempt, 1),
    }
    if run.trigger == "http":
        facts["http.request.method"], _, facts["http.route"] = run.source.partition(" ")
    if run.trigger == "queue":
        facts |= SYSTEM
        facts["messaging.destination.name"] = run.source
        facts["messaging.message.id"] = str(run.id)
        facts["messaging.operation.name"] = "run"
        facts["messaging.operation.type"] = "process"
    return facts | _code(run.step)


def _code(name: str) -> dict[str, Any]:
    """Return where a Step's code is."""
    if name not in registry():
        return {}
    step = registry().step(name)
    handler = step.handler
    named = getattr(handler, "__qualname__", type(handler).__name__)
    return {
        "code.file.path": str(step.file),
        "code.function.name": f"{getattr(handler, '__module__', '')}.{named}",
    }


def end(span: Span | None, outcome: Outcome | None = None) -> None:
    """End the span of an attempt, if there is one, and tell what became of it."""
    if span is not None:
        if outcome is not None:
            _tell(span, outcome)
        span.end()


def _tell(span: Span, outcome: Outcome) -> None:
    from opentelemetry import trace

    is_failed = outcome.status is Status.DEAD
    became = "failed" if is_failed else "snoozed" if outcome.snoozed else str(outcome.status)
    span.set_attribute("motia.outcome", became)
    if is_failed and outcome.error is not None:
        kind = type(outcome.error)
        span.set_attribute("error.type", f"{kind.__module__}.{kind.__qualname__}")
        span.record_exception(outcome.error)
        span.set_status(trace.Status(trace.StatusCode.ERROR, outcome.summary))
