"""From a fact (a message, a tick, a change) to runs of the Steps that listen for it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

from django.utils import timezone

from motia_django import calls, ledger, observers, payloads, publish, signals, spans, tracing
from motia_django.conf import settings
from motia_django.exceptions import TooDeep, UndeclaredTopic, did_you_mean
from motia_django.messages import Message, read_messages
from motia_django.registry import Listener, registry
from motia_django.runs import Outcome, Run, Status, new_run_id
from motia_django.timeline import Entry, in_words
from motia_django.tracing import Cause
from motia_django.triggers import CronTrigger
from motia_django.triggers.state import StateChange
from motia_django.triggers.stream import StreamChange

logger = logging.getLogger("motia.dispatch")


def enqueue(
    message: str | Mapping[str, Any] | Message | Sequence[Any] | None = None,
    data: Any = None,
    /,
    **keys: Any,
) -> list[str]:
    """Send a message, or a list of them, to the Steps that listen on its topic.

    Write `enqueue({"topic": "todo.created", "data": {...}})`, `enqueue("todo.created", {...})` or
    `enqueue(topic="todo.created", data={...})`. `delaySeconds` puts the first try off,
    `messageGroupId` names the group whose order a fifo trigger keeps. While a run that a
    `dedupeKey` began is unfinished, and for `dedupeFor` seconds from now if that is longer, that
    run's id is returned and no other is made. The runs are inserted in the caller's transaction and
    published when it commits. Return their ids, one for each listening trigger; nothing is created
    for a topic that nobody hears.

    Raise `InvalidMessage`, `PayloadError`, `UndeclaredTopic` if the settings forbid it, or
    `LeaseLost` in a run that was given to another process.
    """
    messages = read_messages(message, data, keys)
    for each in messages:
        _check_declared(each.topic)
    tracing.check_lease()
    with spans.of_sending([each.topic for each in messages]):
        return bear([run for each in messages for run in _runs_for(each)])


def send(message: Message, note: Entry) -> dict[str, bool]:
    """Send a message for an operator, who is named in the `note`.

    Return the ids of its runs, and of each whether it is new: in the place of one that is not made,
    by its dedupe key, stands the one that is there. The runs are kept, however light, so that he
    can see what became of them.
    """
    runs = [replace(each, light=False) for each in _runs_for(message)]
    made = {str(run.id) for run in runs}
    return {run_id: run_id in made for run_id in bear(runs, note)}


def start(listener: Listener, input: Any, note: Entry, source: str | None = None) -> str:
    """Start one run of this trigger alone for an operator, kept as those of `send` are.

    `source` is what is said to have started it, for a change of state or of a stream.
    """
    named, group = source or listener.trigger.source, source or ""
    run = _run(listener, source=named, input=payloads.plain(input), group=group)
    [run_id] = bear([replace(run, light=False)], note)
    return run_id


def tick(step: str, index: int, due: datetime, note: Entry | None = None) -> UUID | None:
    """Start the run of a cron trigger's tick; return None if it is skipped or has had its run.

    The `note` names the operator who asks for it.
    """
    listener = Listener(
        step=registry().step(step), index=index, trigger=registry().step(step).triggers[index]
    )
    assert isinstance(listener.trigger, CronTrigger)
    run = _run(listener, source=listener.trigger.source, input=CronTrigger.input_at(due))
    key = f"tick {step} {index} {due.isoformat()}"
    reason = _reason_to_skip(run, listener.trigger)
    if reason is not None:
        _skip(run, key, reason)
    elif ledger.keep_once(run, key, timeline=[note] if note else []):
        publish.publish_on_commit([run])
        return run.id
    return None


def state_changed(
    change: StateChange, *, once: str | None = None, cause: Cause | None = None
) -> list[str]:
    """Start the Steps that watch this change; return the ids of the runs that were born.

    Of any number of calls with the same `once`, for the same item, one starts them; for that they
    are kept in the ledger, light or not. They are children of `cause`, else of the run going on.
    """
    listeners = [each for each in registry().watchers(change) if _wanted(each, change)]
    source = f"{change.group_id}/{change.item_id}"
    runs = _runs_of(listeners, change, source, cause)
    return bear(runs) if once is None else _bear_once(runs, f"state {source} {once}")


def stream_changed(changes: Sequence[StreamChange]) -> list[str]:
    """Start the Steps that watch these events of streams; return the ids of their runs."""
    return bear([run for each in changes for run in _runs_of_event(each)])


def runs_of(message: Message) -> list[Run]:
    """Make the runs of a message, one for each trigger that listens; they are yet to be born."""
    data = payloads.plain(message.data)
    listeners = registry().subscribers(message.topic)
    if not listeners:
        logger.info("Nobody listens on the topic %r", message.topic)
    return [_run_for(each, message, data) for each in listeners]


def bear(runs: Sequence[Run], note: Entry | None = None) -> list[str]:
    """Keep the runs, publish them after commit, and return their ids; loops are born dead.

    In the place of a run that is there already, by its dedupe key, stands the one that is there.
    """
    limit = settings().max_depth
    born = [run for run in runs if run.depth <= limit]
    ids = _kept([run for run in born if not run.light], note)
    for run in runs:
        if run.depth > limit:
            _stillborn(run, limit)
    new = [run for run in born if ids.get(run.id, run.id) == run.id]
    publish.publish_on_commit([run for run in new if run.status is Status.QUEUED])
    return [str(ids.get(run.id, run.id)) for run in runs]


def _check_declared(topic: str) -> None:
    scope = tracing.current()
    policy = settings().undeclared_topics
    if scope is None or topic in scope.topics or policy == "allow":
        return
    text = (
        f"Step {scope.step!r} enqueued to {topic!r}, which its config's `enqueues` does not list."
        f"{did_you_mean(topic, scope.topics)}"
    )
    if policy == "error":
        raise UndeclaredTopic(text)
    logger.warning(text)


def _runs_of_event(change: StreamChange) -> list[Run]:
    listeners = [each for each in registry().stream_watchers(change) if _wanted(each, change)]
    parts = (change.stream_name, change.group_id, change.id)
    source = "/".join(part for part in parts if part is not None)
    return _runs_of(listeners, change, source)


def _runs_for(message: Message) -> list[Run]:
    runs = runs_of(message)
    signals.message_enqueued.send_robust(message.topic, message=message)
    steps = [run.step for run in runs]
    tracing.note("enqueue", topic=message.topic, data=message.data, steps=steps)
    return runs


def _runs_of(
    listeners: Sequence[Listener],
    change: StateChange | StreamChange,
    source: str,
    cause: Cause | None = None,
) -> list[Run]:
    """Make the runs of a change as it is now: its values are the writer's, to do with as he likes.

    A light run is sent when the writer's transaction commits, and that may be much later.
    """
    if not listeners:
        return []
    input = payloads.plain(change.to_json())
    return [_run(each, source=source, input=input, group=source, cause=cause) for each in listeners]


def _run_for(listener: Listener, message: Message, data: Any) -> Run:
    key = message.dedupe_key
    if not message.message_group_id:
        listener.trigger.delivery.tell_ungrouped(listener.step.name, message.topic)
    return _run(
        listener,
        source=message.topic,
        input=data,
        delay=message.delay_seconds,
        group=message.message_group_id or "",
        dedupe_key=key and ledger.hashed(f"dedupe {listener.step.name} {listener.index} {key}"),
        dedupe_for=message.dedupe_for,
    )


def _run(
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


def _bear_once(runs: Sequence[Run], key: str) -> list[str]:
    """Keep and publish those of the runs that were not born for this key before."""
    limit = settings().max_depth
    born = []
    for run in runs:
        if run.depth > limit:
            _stillborn(run, limit)
        elif ledger.keep_once(replace(run, light=False), f"{key} {run.step} {run.index}"):
            born.append(replace(run, light=False))
    publish.publish_on_commit([run for run in born if run.status is Status.QUEUED])
    return [str(run.id) for run in born]


def _kept(runs: Sequence[Run], note: Entry | None) -> dict[UUID, UUID]:
    """Insert runs, in their order; return for each with a dedupe key the run that has the key."""
    ids: dict[UUID, UUID] = {}
    for has_key, some in groupby(runs, lambda run: run.dedupe_key is not None):
        if has_key:
            ids |= {run.id: ledger.keep_or_find(run, note) for run in some}
        else:
            ledger.keep(list(some), note=note)
    return ids


def _reason_to_skip(run: Run, trigger: CronTrigger) -> Entry | None:
    """Return why a tick is not to run: its Step is paused, or an earlier tick's run goes on."""
    if run.step in ledger.paused():
        return {"at": None, "kind": "note", "message": "skipped, since its Step is paused"}
    busy = ledger.unfinished(run) if trigger.overlap == "skip" else None
    return {"at": None, "kind": "overlap", "run_id": str(busy)} if busy else None


def _skip(run: Run, key: str, reason: Entry) -> None:
    """Keep a tick's run as skipped."""
    skipped = replace(run, status=Status.SKIPPED, wake_at=None, turn=None)
    if ledger.keep_once(skipped, key, timeline=[reason], finished_at=run.created_at):
        logger.info("A tick of %s is skipped: %s", run.step, in_words(reason))


def _stillborn(run: Run, limit: int) -> None:
    now = timezone.now()
    error = TooDeep(
        f"{limit} runs have caused one another in a row, and {run.step!r} by {run.source!r} would"
        f" be one more: a loop, most likely (MOTIA['MAX_DEPTH'] is {limit})"
    )
    logger.error("Run %s of %s is dead: %s", run.id, run.step, error)
    outcome = Outcome(status=Status.DEAD, error=error, started_at=now, finished_at=now)
    ledger.record(run, outcome)
    observers.tell_of_loop(signals.run_died, run, error=outcome.summary)


def _wanted(listener: Listener, change: StateChange | StreamChange) -> bool:
    """Ask a plain condition at once, so that a change nobody wants makes no run.

    It is given a copy, since others are told of the change as well. One that is async, takes the
    context, or raises is left to the runner, which records it.
    """
    condition = listener.trigger.condition
    if condition is None or calls.is_async(condition) or calls.arity(condition, 2) != 1:
        return True
    try:
        return bool(condition(change.from_json(payloads.plain(change.to_json()))))
    except Exception:
        return True
