"""One Run in, one Outcome out: the only way any Step runs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

from django.db import DatabaseError, InterfaceError, connections, transaction

from motia_django import (
    deaths,
    handling,
    ledger,
    moments,
    observers,
    offspring,
    payloads,
    publish,
    recording,
    sentry,
    signals,
    spans,
    telemetry,
    tracebacks,
    tracing,
)
from motia_django.delivery import ONCE, Delivery
from motia_django.exceptions import InvalidInput, TooDeep, TriggerGone
from motia_django.registry import registry
from motia_django.runs import (
    INVOKE,
    Outcome,
    Run,
    Settlement,
    Status,
    new_run_id,
    summary_of,
    traceback_of,
)
from motia_django.steps import Step
from motia_django.stores import rows
from motia_django.timeline import Timeline
from motia_django.triggers import Trigger

logger = logging.getLogger("motia.runs")

CheckLease = Callable[[], None]
Finish = Callable[[Outcome], Settlement | None]

_FROM_STORED_INPUT: Any = object()
_MOST_NESTED = 64
"""How many invocations may go on within one another: Python's stack holds not many more."""
_INVOKED_AS = ("queue", "http", "cron", "state", "stream")


def attempt(run: Run, finish: Finish, check_lease: CheckLease | None = None) -> Settlement | None:
    """Run one attempt and have `finish` write what became of it; None if its lease was lost.

    An atomic Step's handler, its messages and its completion are one transaction: all or none. One
    that the database refuses since it met another, as in a deadlock, begins anew at once.
    """
    if not _is_atomic(run):
        return finish(perform(run, check_lease=check_lease))
    is_ours = not connections[ledger.database()].in_atomic_block
    for tried in range(rows.TRIES):
        done = _as_one(run, finish, check_lease)
        if not isinstance(done, Outcome):
            return done
        if not (is_ours and rows.has_met_another(ledger.database(), done.error)):
            break
        logger.info("Run %s of %s met another, and begins anew: %s", run.id, run.step, done.summary)
        rows.let_go_first(tried)
    assert isinstance(done, Outcome)
    return finish(done.as_of_now())


def _as_one(
    run: Run, finish: Finish, check_lease: CheckLease | None
) -> Settlement | Outcome | None:
    """Run an attempt as one transaction; of one that was undone return the outcome, not written."""
    outcome: Outcome | None = None
    settlement: Settlement | None = None
    try:
        with transaction.atomic(using=ledger.database()):
            outcome = perform(run, check_lease=check_lease)
            settlement = None if outcome.failed else finish(outcome)
            if settlement is None:
                raise _Undone
    except _Undone:
        assert outcome is not None
        return outcome if outcome.failed else None
    except Exception as error:
        if settlement is not None and not ledger.holds(run):
            logger.exception("What run %s of %s does after its commit failed", run.id, run.step)
            return settlement
        return _undone(outcome, error)
    return settlement


def _undone(outcome: Outcome | None, error: Exception) -> Outcome:
    """Return the outcome of an attempt whose transaction could not be opened, or not committed."""
    if outcome is None:
        now = moments.now()
        return Outcome(status=Status.DEAD, error=error, started_at=now, finished_at=now)
    return (
        outcome if outcome.failed else replace(outcome, status=Status.DEAD, value=None, error=error)
    )


class _Undone(Exception):
    """Rolls an atomic Step's transaction back; its outcome says why."""


@spans.of_attempts
def perform(
    run: Run, raw: Any = _FROM_STORED_INPUT, *, check_lease: CheckLease | None = None
) -> Outcome:
    """Run one attempt: clean the input, ask the condition, call the handler, check its result.

    `raw` is the input where it is not the stored one: an HTTP request is more than its JSON. What
    goes wrong is in the outcome; nothing is raised. An outcome that is RUNNING is for the caller to
    end, with `finished`.
    """
    timeline, started_at = Timeline(partial(registry().masks, run.step)), moments.now()
    sentry.watch()
    observers.tell(signals.run_started, run)
    result: dict[str, Any]
    try:
        step = registry().step(run.step)
        trigger = _trigger(run, step)
        stored = payloads.plain(run.input) if raw is _FROM_STORED_INPUT else raw
        given = trigger.clean_input(stored, f"The input of Step {run.step!r}")
    except TriggerGone as error:
        result = handling.left_to_others(run, error)
    except Exception as error:
        # A schema may ask the database, which may be away: only what is invalid stays so.
        hopeless = isinstance(error, InvalidInput)
        result = {"status": Status.DEAD, "error": error, "rejected": hopeless}
    else:
        scope = _scope(run, step, timeline, check_lease)
        result = handling.handled(run, step, trigger, given, scope, invoke)
        result["keys"] = scope.keys
    result["started_at"] = started_at
    if result["status"] is Status.RUNNING:
        return Outcome(**result, finished_at=moments.now())
    return _over(run, result, timeline)


def finished(
    run: Run, outcome: Outcome, value: Any = None, *, error: Exception | None = None
) -> Outcome:
    """Return the outcome of a run whose answer was made part by part, now that this has ended.

    `value` is what the history keeps of the answer, None if nothing was sent; `error` is what ended
    it, if that was one. After the first part no exception is an answer any more.
    """
    assert outcome.scope is not None
    status = Status.SUCCEEDED if error is None else Status.DEAD
    result: dict[str, Any] = {"status": status, "value": value, "error": error}
    if error is not None and value is None:
        trigger = _trigger(run, registry().step(run.step))
        result |= handling.failed(run, trigger, error)
    result |= {"started_at": outcome.started_at, "keys": outcome.scope.keys}
    over = _over(run, result, outcome.scope.timeline)
    spans.end(outcome.scope.going_on, over)
    return over


def _over(run: Run, result: dict[str, Any], timeline: Timeline) -> Outcome:
    """Return the outcome of a result with all that happened, and tell the observers."""
    if result["status"] is Status.DEAD:
        error = result["error"]
        timeline.fail(summary_of(error), traceback_of(error))
    elif result["status"] is Status.CANCELLED:
        timeline.add("note", message=str(result["error"]))
    result["timeline"] = tuple(timeline.entries())
    noted = timeline if timeline.may_be_undone else None
    over = Outcome(**result, finished_at=moments.now(), noted=noted)
    observers.tell(signals.run_finished, run, outcome=over)
    return over


def conclude(run: Run, outcome: Outcome) -> Settlement | None:
    """Write an attempt's outcome to the ledger and tell the log; None if its lease was lost."""
    delivery = delivery_of(run)
    settlement = deaths.written(
        run, outcome, delivery, lambda told: ledger.finish(run, told, delivery)
    )
    if settlement is None:
        what = outcome.summary or outcome.status
        text = "Run %s of %s was given to another: attempt %d counts for nothing (%s)"
        logger.error(text, run.id, run.step, run.attempt, what)
        return None
    if settlement.freed is not None:
        publish.hand_over(settlement.freed, delivery)
    _announce(run, outcome, settlement)
    return settlement


def keep(run: Run, outcome: Outcome) -> Settlement | None:
    """Keep a light run that goes on after its first attempt, or died by it; None if it was kept."""
    delivery = delivery_of(run)
    settlement = deaths.written(
        run, outcome, delivery, lambda told: ledger.keep_failed(run, told, delivery)
    )
    if settlement is not None:
        _announce(run, outcome, settlement)
    return settlement


def _announce(run: Run, outcome: Outcome, settlement: Settlement) -> None:
    """Tell the log and the observers of an attempt that failed."""
    if settlement.status is Status.DEAD:
        _tell(logging.ERROR, run, outcome, "it is dead")
        observers.tell(signals.run_died, run, error=outcome.summary)
    elif outcome.failed and settlement.wake_at:
        wait = (settlement.wake_at - moments.now()).total_seconds()
        _tell(logging.WARNING, run, outcome, f"next try in {max(wait, 0):.1f} s")


def record(run: Run, outcome: Outcome) -> None:
    """Write a run that is over to the history, unless only failures are kept there.

    The history must not fail what it tells of.
    """
    if run.trigger == "http":
        outcome = recording.with_note(outcome)
    try:
        if outcome.failed or run.trigger != "http":
            write = recording.record_now
        else:
            write = recording.record
        if outcome.failed or registry().step(run.step).keeps_all:
            write(run, outcome)
    except (DatabaseError, InterfaceError):
        logger.exception("Run %s of %s could not be recorded", run.id, run.step)
    if outcome.status is Status.DEAD:
        observers.tell(signals.run_died, run, error=outcome.summary)


def invoke(name: str, data: Any = None) -> Any:
    """Run the Step `name` here and now as a child run; return what its handler returns.

    The input is checked as that of the Step's queue trigger, or as the body of its http trigger.
    A Step that schedules start, and neither of these, is given a tick of now.
    Raise `UnknownStep`, `InvalidInput`, `TooDeep`, or what the handler raises.
    """
    step = registry().step(name)
    index, trigger = invoked_as(step)
    plain = trigger.kept_for(payloads.plain(data))
    tracing.check_lease()
    run = _child(step, index, plain)
    with transaction.atomic(using=ledger.database()) if step.atomic else nullcontext():
        outcome = perform(run, trigger.input_for(payloads.plain(plain)))
        if step.atomic and outcome.failed:
            transaction.set_rollback(True, using=ledger.database())
    tracing.note("invoke", ledger.database, step=run.step, run_id=run.id, status=outcome.status)
    record(run, outcome.as_of_now())
    if outcome.error is not None:
        raise outcome.error
    return outcome.value


def invoked_as(step: Step) -> tuple[int, Trigger]:
    """Return the trigger in whose place an invocation stands; raise `TriggerGone`."""
    for kind in _INVOKED_AS:
        for index, trigger in step.triggers_of(kind):
            return index, trigger
    raise TriggerGone(f"Step {step.name!r} has no trigger: it stands for what people do outside")


def _is_atomic(run: Run) -> bool:
    return run.step in registry() and registry().step(run.step).atomic


def _scope(
    run: Run, step: Step, timeline: Timeline, check_lease: CheckLease | None
) -> tracing.Scope:
    return tracing.Scope(
        check_lease=check_lease or tracing.lease_check(),
        nested=_nested() if run.trigger == INVOKE else 0,
        trace_id=run.trace_id,
        span=run.parent_span,
        going_on=telemetry.going_on(),
        run_id=run.id,
        step=step.name,
        depth=run.depth,
        topics=step.topics,
        timeline=timeline,
    )


def _trigger(run: Run, step: Step) -> Trigger:
    if run.trigger == INVOKE:
        return step.triggers[run.index]
    return step.trigger(run.trigger, run.index, run.source)


def delivery_of(run: Run) -> Delivery:
    """Return how the run is retried; a Step or trigger that is gone leaves the defaults."""
    return ONCE if run.trigger == INVOKE else publish.delivery_of(run)


def _child(step: Step, index: int, data: Any) -> Run:
    scope, cause = tracing.current(), tracing.cause()
    depth = cause.depth + 1 if cause else 0
    if _nested() > _MOST_NESTED:
        text = f"{_MOST_NESTED} invocations go on within one another: a loop, most likely"
        raise TooDeep(f"invoke({step.name!r}) would be one more: {text}. Enqueue messages instead")
    if offspring.is_too_deep(depth):
        raise TooDeep(f"invoke({step.name!r}) would be one more: {offspring.in_a_row(depth)}")
    trace_id, span = (cause.trace_id, cause.span) if cause else tracing.begun()
    return Run(
        id=new_run_id(),
        step=step.name,
        trigger=INVOKE,
        index=index,
        source=scope.step if scope else "",
        input=data,
        trace_id=trace_id,
        parent_id=cause.run_id if cause else None,
        parent_span=span,
        depth=depth,
        status=Status.RUNNING,
        attempt=1,
        created_at=moments.now(),
    )


def _nested() -> int:
    """Return how many invocations go on within one another, with one that begins here."""
    scope = tracing.current()
    return scope.nested + 1 if scope else 1


def _tell(level: int, run: Run, outcome: Outcome, what_next: str) -> None:
    logger.log(
        level,
        "[%s] attempt %d failed, %s: %s",
        run.step,
        run.attempt,
        what_next,
        outcome.summary,
        exc_info=outcome.error and tracebacks.shown(outcome.error),
        extra={"step": run.step, "run_id": str(run.id), "trace_id": run.trace_id},
    )
