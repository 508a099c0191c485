"""Runs of those who listen: made as children of what causes them, kept, published; loops end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import groupby
from typing import Any
from uuid import UUID

from celery.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.utils import timezone

from motia_django import ledger, observers, payloads, publish, signals, tallies, tracing
from motia_django.conf import settings
from motia_django.exceptions import PayloadError, TooDeep
from motia_django.ledger.interventions import PASSING
from motia_django.messages import Message
from motia_django.registry import Listener, registry
from motia_django.runs import Outcome, Run, Settlement, Status, new_run_id
from motia_django.timeline import Entry, Timeline
from motia_django.tracing import Cause

logger = logging.getLogger("motia.dispatch")
_runs_logger = logging.getLogger("motia.runs")

Write = Callable[[Outcome], Settlement | None]


def run_of(
    listener: Listener,
    *,
    source: str,
    input: Any,
    delay: float = 0,
    group: str = "",
    dedupe_key: str | None = None,
    dedupe_for: float | None = None,
    cause: Cause | None = None,
) -> Run:
    """Make the run of one listener, as a child of its cause, by default the run going on here."""
    now = timezone.now()
    cause = cause or tracing.cause()
    trace_id, span = (cause.trace_id, cause.span) if cause else tracing.begun()
    group = group if len(group) <= 255 else ledger.hashed(group)
    step, delivery = listener.step, listener.trigger.delivery
    seconds = delay + delivery.delay_seconds
    scheduled = seconds > 0 and not publish.is_eager()
    wait = timedelta(seconds=seconds) if scheduled else ledger.patience(0)
    turn = delivery.turn(step.name, listener.index, group, input)
    kept = step.keeps_all or step.atomic or scheduled or turn or dedupe_key
    return Run(
        id=new_run_id(),
        step=step.name,
        trigger=listener.trigger.kind,
        index=listener.index,
        source=source,
        input=input,
        trace_id=trace_id,
        parent_id=cause.run_id if cause else None,
        parent_span=span,
        depth=cause.depth + 1 if cause else 0,
        status=Status.SCHEDULED if scheduled else Status.QUEUED,
        message_group=group if delivery.fifo else "",
        turn=turn,
        limited=turn is not None,
        dedupe_key=dedupe_key,
        dedupe_until=None if dedupe_for is None else now + timedelta(seconds=dedupe_for),
        light=not kept and listener.trigger.kind != "cron",
        created_at=now,
        wake_at=now + wait,
    )


def runs_of(message: Message) -> list[Run]:
    """Make the runs of a message, one for each trigger that listens; they are yet to be born.

    Those of one that begins a new trace are children of the run going on as well, in a trace of
    their own, where they are the first in a row.
    """
    try:
        data = payloads.plain(message.data)
    except PayloadError as error:
        raise error.within(f"enqueue: the data of {message.topic!r}") from error.__cause__
    listeners = registry().subscribers(message.topic)
    runs = [_run_for(each, message, data) for each in listeners]
    if not (runs and message.new_trace):
        return runs
    trace_id = tracing.new_trace_id()
    return [replace(run, trace_id=trace_id, parent_span=None, depth=0) for run in runs]


def bear(runs: Sequence[Run], note: Entry | None = None) -> list[str]:
    """Keep the runs, publish them after commit, and return their ids; loops are born dead.

    In the place of a run that is there already, by its dedupe key, stands the one that is there.
    """
    born = [run for run in runs if not is_too_deep(run.depth)]
    ids = _kept([run for run in born if not run.light], note)
    _lay_out([run for run in runs if is_too_deep(run.depth)])
    new = [run for run in born if ids.get(run.id, run.id) == run.id]
    publish.publish_on_commit([run for run in new if run.status is Status.QUEUED])
    return [str(ids.get(run.id, run.id)) for run in runs]


def bear_once(runs: Sequence[Run], key: str) -> list[str]:
    """Keep and publish those of the runs that were not born for this key before."""
    _lay_out([run for run in runs if is_too_deep(run.depth)])
    born = [replace(run, light=False) for run in runs if not is_too_deep(run.depth)]
    born = [run for run in born if ledger.keep_once(run, f"{key} {run.step} {run.index}")]
    publish.publish_on_commit([run for run in born if run.status is Status.QUEUED])
    return [str(run.id) for run in born]


def is_too_deep(depth: int) -> bool:
    """Return whether a run that so many have led to in a row is one too many.

    That is the first one beyond `MAX_DEPTH`. What follows from a death there has once more as many
    of its own, which are counted on behind that one; so a loop that goes on there ends as well.
    """
    limit = settings().max_depth
    return depth == limit + 1 or depth > 2 * limit + 1


def in_a_row(depth: int) -> str:
    """Return what to say of so many runs in a row, and what to do."""
    limit = settings().max_depth
    return (
        f"{depth} runs have caused one another in a row, and MOTIA['MAX_DEPTH'] is {limit}: a loop,"
        ' most likely. Where it is none, enqueue one of its messages with "newTrace": True, which'
        " begins a new chain, or raise MAX_DEPTH"
    )


def dying(run: Run, outcome: Outcome, write: Write) -> Settlement | None:
    """Have `write` write that a run is dead, with what follows from that: both, or neither.

    It is the message of its Step's `onDead`. What is wrong with the message itself is logged and
    keeps no run from being dead; what is wrong with the database is raised.
    """
    topic = registry().step(run.step).on_dead if run.step in registry() else ""
    if not topic:
        return write(outcome)
    try:
        message = Message(topic=topic, data=_told(run, outcome))
        return _written_with(message, run, outcome, write)
    except (*PASSING, SoftTimeLimitExceeded):
        raise
    except Exception:
        text = "Run %s of %s is dead, and its message to %r could not be kept"
        _runs_logger.exception(text, run.id, run.step, topic)
        return write(outcome)


def _run_for(listener: Listener, message: Message, data: Any) -> Run:
    key = message.dedupe_key
    if not message.message_group_id:
        listener.trigger.delivery.tell_ungrouped(listener.step.name, message.topic)
    return run_of(
        listener,
        source=message.topic,
        input=data,
        delay=message.delay_seconds,
        group=message.message_group_id or "",
        dedupe_key=key and ledger.hashed(f"dedupe {listener.step.name} {listener.index} {key}"),
        dedupe_for=message.dedupe_for,
    )


def _kept(runs: Sequence[Run], note: Entry | None) -> dict[UUID, UUID]:
    """Insert runs, in their order; return for each with a dedupe key the run that has the key."""
    ids: dict[UUID, UUID] = {}
    for has_key, some in groupby(runs, lambda run: run.dedupe_key is not None):
        if has_key:
            ids |= {run.id: ledger.keep_or_find(run, note) for run in some}
        else:
            ledger.keep(list(some), note=note)
    return ids


def _lay_out(runs: Sequence[Run]) -> None:
    """Keep runs that are too deep as dead, with what follows from that, and tell of them.

    From one that is so behind such a death nothing follows any more.
    """
    for run in runs:
        now = timezone.now()
        error = TooDeep(
            f"{run.step!r} by {run.source!r} would be one more: {in_a_row(run.depth)}. A redrive of"
            " this run begins a new chain as well"
        )
        logger.error("Run %s of %s is dead: %s", run.id, run.step, error)
        outcome = Outcome(status=Status.DEAD, error=error, started_at=now, finished_at=now)
        record = partial(_recorded, run)
        if run.depth == settings().max_depth + 1:
            dying(run, outcome, record)
        else:
            record(outcome)
        observers.tell_of_loop(signals.run_died, run, error=outcome.summary)


def _recorded(run: Run, outcome: Outcome) -> Settlement:
    ledger.record(run, outcome)
    return Settlement(status=outcome.status)


def _written_with(message: Message, run: Run, outcome: Outcome, write: Write) -> Settlement | None:
    with tracing.caused_by(_cause_beyond(run)):
        runs = [replace(each, light=False) for each in runs_of(message)]
        noted = replace(outcome, timeline=(*outcome.timeline, *_noted(run, message, runs)))
        with transaction.atomic(using=ledger.database()):
            settlement = write(noted)
            if settlement is not None:
                bear(runs)
        if settlement is not None:
            signals.message_enqueued.send_robust(message.topic, message=message)
            if not runs:
                tallies.count_unheard(message.topic, step=run.step)
        return settlement


def _cause_beyond(run: Run) -> Cause:
    """Return a dead run as a cause: what follows from one at the bound comes behind the bound."""
    cause = run.as_cause()
    at_the_bound = cause.depth == settings().max_depth
    return replace(cause, depth=cause.depth + 1) if at_the_bound else cause


def _told(run: Run, outcome: Outcome) -> dict[str, Any]:
    """Return what the message says of a dead run; docs/reference/config.md promises it."""
    return {
        "runId": str(run.id),
        "traceId": run.trace_id,
        "step": run.step,
        "trigger": run.trigger,
        "source": run.source,
        "input": run.input,
        "attempt": run.attempt,
        "error": outcome.summary,
    }


def _noted(dead: Run, message: Message, runs: list[Run]) -> list[Entry]:
    """Return what the dead run's timeline says of its message."""
    timeline = Timeline(partial(registry().masks, dead.step))
    steps = [each.step for each in runs]
    timeline.add("enqueue", topic=message.topic, data=message.data, steps=steps)
    return [{**entry, "at": None} for entry in timeline.entries()]
