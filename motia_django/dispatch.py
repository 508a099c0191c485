"""From a fact (a message, a tick, a change) to runs of the Steps that listen for it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from motia_django import calls, declarations, ledger, payloads, publish, signals, tracing
from motia_django.conf import settings
from motia_django.declarations import Mismatch
from motia_django.exceptions import InvalidMessage, TooDeep, UndeclaredTopic, did_you_mean
from motia_django.registry import Listener, registry
from motia_django.runs import Outcome, Run, Status, new_run_id
from motia_django.sources import snake
from motia_django.triggers import CronTrigger
from motia_django.triggers.state import StateChange

logger = logging.getLogger("motia.dispatch")

_KEYS = ("topic", "data", "delay_seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What `enqueue` sends."""

    topic: str
    data: Any = None
    delay_seconds: float = 0

    @classmethod
    def read(cls, raw: Any) -> Message:
        """Read `{"topic": ..., "data": ...}`; raise `InvalidMessage`."""
        if isinstance(raw, Message):
            return raw
        if not isinstance(raw, Mapping):
            raise InvalidMessage(
                f'enqueue: expected {{"topic": ..., "data": ...}}, got {raw!r:.200}'
            )
        values = {snake(str(key)): value for key, value in raw.items()}
        for key in raw:
            if snake(str(key)) not in _KEYS:
                known = ["topic", "data", "delaySeconds"]
                hint = did_you_mean(str(key), known) or f" Known are {', '.join(known)}."
                raise InvalidMessage(f"enqueue: unknown key {key!r}.{hint}")
        return cls(
            topic=_parsed("topic", declarations.text, values.get("topic")),
            data=values.get("data"),
            delay_seconds=_parsed(
                "delaySeconds", declarations.number, values.get("delay_seconds", 0)
            ),
        )


def enqueue(
    message: str | Mapping[str, Any] | Message | Sequence[Any] | None = None,
    data: Any = None,
    /,
    **keys: Any,
) -> list[str]:
    """Send a message, or a list of them, to the Steps that listen on its topic.

    Write `enqueue({"topic": "todo.created", "data": {...}})`, `enqueue("todo.created", {...})` or
    `enqueue(topic="todo.created", data={...})`; `delaySeconds` puts the first try off. The runs are
    inserted in the caller's transaction and published when it commits. Return the ids of the new
    runs, one for each listening trigger; nothing is created for a topic that nobody hears.

    Raise `InvalidMessage`, `PayloadError`, or `UndeclaredTopic` if the settings forbid it.
    """
    messages = [Message.read(each) for each in _as_list(message, data, keys)]
    for each in messages:
        _check_declared(each.topic)
    runs = [run for each in messages for run in _runs_for(each)]
    _bear(runs)
    return [str(run.id) for run in runs]


def tick(step: str, index: int, due: datetime) -> UUID | None:
    """Start the run of a cron trigger's tick; return None if it is skipped or has had its run."""
    listener = Listener(
        step=registry().step(step), index=index, trigger=registry().step(step).triggers[index]
    )
    assert isinstance(listener.trigger, CronTrigger)
    run = _run(listener, source=listener.trigger.source, input=CronTrigger.input_at(due))
    key = f"tick {step} {index} {due.isoformat()}"
    busy = ledger.unfinished(run) if listener.trigger.overlap == "skip" else None
    if busy is not None:
        _skip(run, key, busy)
    elif ledger.keep_once(run, key):
        publish.publish_on_commit([run])
        return run.id
    return None


def state_changed(change: StateChange) -> list[str]:
    """Start the Steps that watch this change; return the ids of their runs."""
    listeners = [each for each in registry().watchers(change) if _wanted(each, change)]
    source = f"{change.group_id}/{change.item_id}"
    runs = [_run(each, source=source, input=change.to_json()) for each in listeners]
    _bear(runs)
    return [str(run.id) for run in runs]


def _as_list(message: Any, data: Any, keys: Mapping[str, Any]) -> Sequence[Any]:
    if isinstance(message, str):
        return [{"topic": message, "data": data, **keys}]
    if message is None:
        return [keys]
    if keys or data is not None:
        raise InvalidMessage("enqueue: give a message, or a topic with data, not both")
    return message if isinstance(message, list | tuple) else [message]


def _parsed(key: str, parse: Any, value: Any) -> Any:
    try:
        return parse(value)
    except Mismatch as mismatch:
        raise InvalidMessage(f"enqueue: {key}: expected {mismatch}, got {value!r:.200}") from None


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


def _runs_for(message: Message) -> list[Run]:
    data = payloads.plain(message.data)
    listeners = registry().subscribers(message.topic)
    runs = [
        _run(each, source=message.topic, input=data, delay=message.delay_seconds)
        for each in listeners
    ]
    scope = tracing.current()
    if scope is not None:
        steps = [run.step for run in runs]
        scope.timeline.add("enqueue", topic=message.topic, data=data, steps=steps)
    if not runs:
        logger.info("Nobody listens on the topic %r", message.topic)
    return runs


def _run(listener: Listener, *, source: str, input: Any, delay: float = 0) -> Run:
    """Make the run of one listener, as a child of the run going on here if there is one."""
    now = timezone.now()
    scope = tracing.current()
    wait = timedelta(seconds=delay + listener.trigger.delivery.delay_seconds)
    scheduled = bool(wait) and not publish.is_eager()
    return Run(
        id=new_run_id(),
        step=listener.step.name,
        trigger=listener.trigger.kind,
        index=listener.index,
        source=source,
        input=input,
        trace_id=scope.trace_id if scope else tracing.new_trace_id(),
        parent_id=scope.run_id if scope else None,
        depth=scope.depth + 1 if scope else 0,
        status=Status.SCHEDULED if scheduled else Status.QUEUED,
        created_at=now,
        wake_at=now + (wait if scheduled else ledger.patience(0)),
    )


def _bear(runs: Sequence[Run]) -> None:
    """Keep the runs and publish them after commit; those of a loop are born dead."""
    limit = settings().max_depth
    ledger.keep([run for run in runs if run.depth <= limit])
    for run in runs:
        if run.depth > limit:
            _stillborn(run, limit)
    publish.publish_on_commit(
        [run for run in runs if run.depth <= limit and run.status is Status.QUEUED]
    )


def _skip(run: Run, key: str, busy: UUID) -> None:
    """Keep a tick's run as skipped, since the run `busy` of the same trigger goes on."""
    skipped = replace(run, status=Status.SKIPPED, wake_at=None)
    note = {"at": None, "kind": "overlap", "run_id": str(busy)}
    if ledger.keep_once(skipped, key, timeline=[note], finished_at=run.created_at):
        logger.info("A tick of %s is skipped: run %s still goes on", run.step, busy)


def _stillborn(run: Run, limit: int) -> None:
    now = timezone.now()
    error = TooDeep(
        f"{limit} runs have caused one another in a row, and {run.step!r} by {run.source!r} would"
        f" be one more: a loop, most likely (MOTIA['MAX_DEPTH'] is {limit})"
    )
    logger.error("Run %s of %s is dead: %s", run.id, run.step, error)
    outcome = Outcome(status=Status.DEAD, error=error, started_at=now, finished_at=now)
    ledger.record(run, outcome)
    signals.run_died.send_robust(run.step, run=run, error=outcome.summary)


def _wanted(listener: Listener, change: StateChange) -> bool:
    """Ask a plain condition at once, so that a change nobody wants makes no run.

    One that is async, takes the context, or raises is left to the runner, which records it.
    """
    condition = listener.trigger.condition
    if condition is None or calls.is_async(condition) or calls.arity(condition, 2) != 1:
        return True
    try:
        return bool(condition(change))
    except Exception:
        return True
