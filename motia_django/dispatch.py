"""From a fact (a message, a tick, a change) to runs of the Steps that listen for it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from motia_django import (
    calls,
    ledger,
    offspring,
    payloads,
    publish,
    signals,
    spans,
    tallies,
    tracing,
)
from motia_django.conf import settings
from motia_django.exceptions import UndeclaredTopic, UnknownTopic, did_you_mean
from motia_django.messages import Message, read_messages
from motia_django.offspring import run_of
from motia_django.registry import Listener, registry
from motia_django.runs import Run, Status
from motia_django.timeline import Entry, in_words
from motia_django.tracing import Cause
from motia_django.triggers import CronTrigger
from motia_django.triggers.base import Condition
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
    run's id is returned and no other is made. With `newTrace` its runs begin a trace, and a chain
    of runs, of their own. The runs are inserted in the caller's transaction and published when it
    commits. Return their ids, one for each listening trigger; nothing is created for a topic that
    nobody hears.

    Raise `InvalidMessage`, `PayloadError`, `UndeclaredTopic` or `UnknownTopic` if the settings
    forbid it, or `LeaseLost` in a run that was given to another process.
    """
    messages, scope = read_messages(message, data, keys), tracing.current()
    for each in messages:
        _check_declared(each.topic)
        _check_heard(each.topic)
    tracing.check_lease()
    with spans.of_sending([each.topic for each in messages]):
        made = [_runs_for(each) for each in messages]
        ids = offspring.bear([run for runs in made for run in runs])
    left = iter(ids)
    for each, runs in zip(messages, made, strict=True):
        _note(each, [(run, next(left)) for run in runs])
        if not runs:
            tallies.count_unheard(each.topic, step=scope.step if scope else "")
    return ids


def send(message: Message, note: Entry) -> dict[str, bool]:
    """Send a message for an operator, who is named in the `note`.

    Return the ids of its runs, and of each whether it is new: in the place of one that is not made,
    by its dedupe key, stands the one that is there. The runs are kept, however light, so that he
    can see what became of them.
    """
    runs = [replace(each, light=False) for each in _runs_for(message)]
    made = {str(run.id) for run in runs}
    return {run_id: run_id in made for run_id in offspring.bear(runs, note)}


def start(listener: Listener, input: Any, note: Entry, source: str | None = None) -> str:
    """Start one run of this trigger alone for an operator, kept as those of `send` are.

    `source` is what is said to have started it, for a change of state or of a stream.
    """
    named, group = source or listener.trigger.source, source or ""
    run = run_of(listener, source=named, input=payloads.plain(input), group=group)
    [run_id] = offspring.bear([replace(run, light=False)], note)
    return run_id


def tick(step: str, index: int, due: datetime, note: Entry | None = None) -> UUID | None:
    """Start the run of a cron trigger's tick; return None if it is skipped or has had its run.

    Its timeline begins with the `note`, of the operator who asks for it or says when it is due.
    """
    listener = Listener(
        step=registry().step(step), index=index, trigger=registry().step(step).triggers[index]
    )
    assert isinstance(listener.trigger, CronTrigger)
    run = run_of(listener, source=listener.trigger.source, input=CronTrigger.input_at(due))
    key = f"tick {step} {index} {due.isoformat()}"
    reason = _reason_to_skip(run, listener.trigger)
    notes = [note] if note else []
    if reason is not None:
        _skip(run, key, notes, reason)
    elif ledger.keep_once(run, key, timeline=notes):
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
    return (
        offspring.bear(runs)
        if once is None
        else offspring.bear_once(runs, f"state {source} {once}")
    )


def stream_changed(changes: Sequence[StreamChange]) -> list[str]:
    """Start the Steps that watch these events of streams; return the ids of their runs."""
    return offspring.bear([run for each in changes for run in _runs_of_event(each)])


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


def _check_heard(topic: str) -> None:
    """Do as the settings say with a topic that nobody listens on.

    To send to one that the Step's config lists is meant, and `motia.W001` tells of it.
    """
    steps, policy = registry(), settings().unheard_topics
    if policy == "ignore" or steps.subscribers(topic):
        return
    scope = tracing.current()
    is_meant = scope is not None and topic in scope.topics
    if policy == "error" and not is_meant:
        raise UnknownTopic(topic, steps.topics())
    level = logging.INFO if is_meant else logging.WARNING
    hint = did_you_mean(topic, steps.topics())
    logger.log(level, "Nobody listens on the topic %r, so no run is made.%s", topic, hint)


def _runs_of_event(change: StreamChange) -> list[Run]:
    listeners = [each for each in registry().stream_watchers(change) if _wanted(each, change)]
    parts = (change.stream_name, change.group_id, change.id)
    source = "/".join(part for part in parts if part is not None)
    return _runs_of(listeners, change, source)


def _note(message: Message, runs: Sequence[tuple[Run, str]]) -> None:
    """Note which Steps are sent a message, and apart which are not, by the run that has its key."""
    facts = {"topic": message.topic, "data": message.data}
    held = [(run.step, run_id) for run, run_id in runs if run_id != str(run.id)]
    new = [run.step for run, run_id in runs if run_id == str(run.id)]
    if new or not held:
        tracing.note("enqueue", ledger.database, **facts, steps=new)
    for step, run_id in held:
        tracing.note("enqueue", ledger.database, **facts, steps=[step], run_id=run_id)


def _runs_for(message: Message) -> list[Run]:
    runs = offspring.runs_of(message)
    signals.message_enqueued.send_robust(message.topic, message=message)
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
    return [
        run_of(each, source=source, input=input, group=source, cause=cause) for each in listeners
    ]


def _reason_to_skip(run: Run, trigger: CronTrigger) -> Entry | None:
    """Return why a tick is not to run: its Step is paused, or an earlier tick's run goes on."""
    if run.step in ledger.paused():
        return {"at": None, "kind": "note", "message": "skipped, since its Step is paused"}
    busy = ledger.unfinished(run) if trigger.overlap == "skip" else None
    return {"at": None, "kind": "overlap", "run_id": str(busy)} if busy else None


def _skip(run: Run, key: str, notes: Sequence[Entry], reason: Entry) -> None:
    """Keep a tick's run as skipped."""
    skipped = replace(run, status=Status.SKIPPED, wake_at=None, turn=None)
    if ledger.keep_once(skipped, key, timeline=[*notes, reason], finished_at=run.created_at):
        logger.info("A tick of %s is skipped: %s", run.step, in_words(reason))


def is_asked_at_once(condition: Condition) -> bool:
    """Return whether a condition is asked of a change before there is a run."""
    return not calls.is_async(condition) and calls.arity(condition, 2) == 1


def _wanted(listener: Listener, change: StateChange | StreamChange) -> bool:
    """Ask a plain condition at once, so that a change nobody wants makes no run.

    It is given a copy, since others are told of the change as well. One that is async, takes the
    context, or raises is left to the runner, which records it.
    """
    condition = listener.trigger.condition
    if condition is None or not is_asked_at_once(condition):
        return True
    try:
        return bool(condition(change.from_json(payloads.plain(change.to_json()))))
    except Exception:
        return True
