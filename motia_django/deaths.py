"""Deaths: the message of a Step's `onDead`, kept in the transaction that makes its run dead."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.utils import timezone

from motia_django import dispatch, ledger, signals, tracing
from motia_django.delivery import Delivery
from motia_django.ledger.interventions import PASSING
from motia_django.messages import Message
from motia_django.registry import registry
from motia_django.runs import Outcome, Run, Settlement, Status, settle
from motia_django.timeline import Entry, Timeline

logger = logging.getLogger("motia.runs")

Write = Callable[[Outcome], Settlement | None]


def written(run: Run, outcome: Outcome, delivery: Delivery, write: Write) -> Settlement | None:
    """Have `write` write what became of an attempt; of a death with what follows from it.

    Every run in the background that dies does so here, whoever finds it. If its Step has `onDead`,
    the message is committed with the death, or neither is. What is wrong with the message itself
    is logged and keeps no run from being dead; what is wrong with the database is raised.
    """
    topic = registry().step(run.step).on_dead if run.step in registry() else ""
    if not (topic and outcome.failed and _is_final(run, outcome, delivery)):
        return write(outcome)
    try:
        with tracing.caused_by(run.as_cause()):
            message = Message(topic=topic, data=_told(run, outcome))
            return _written_with(run, message, outcome, write)
    except (*PASSING, SoftTimeLimitExceeded):
        raise
    except Exception:
        text = "Run %s of %s is dead, and its message to %r could not be kept"
        logger.exception(text, run.id, run.step, topic)
        return write(outcome)


def _is_final(run: Run, outcome: Outcome, delivery: Delivery) -> bool:
    return settle(run, outcome, delivery, timezone.now()).status is Status.DEAD


def _written_with(dead: Run, message: Message, outcome: Outcome, write: Write) -> Settlement | None:
    runs = [replace(each, light=False) for each in dispatch.runs_of(message)]
    noted = replace(outcome, timeline=(*outcome.timeline, *_noted(dead, message, runs)))
    with transaction.atomic(using=ledger.database()):
        settlement = write(noted)
        if settlement is not None:
            dispatch.bear(runs)
    if settlement is not None:
        signals.message_enqueued.send_robust(message.topic, message=message)
    return settlement


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
    timeline = Timeline(registry().masks(dead.step))
    steps = [each.step for each in runs]
    timeline.add("enqueue", topic=message.topic, data=message.data, steps=steps)
    return [{**entry, "at": None} for entry in timeline.entries()]
