"""The Celery queues that somebody has to consume, for what Steps are sent, and who does."""

from __future__ import annotations

from collections.abc import Iterable

from motia_django import models
from motia_django.queues import queue_at, routed
from motia_django.registry import registry
from motia_django.tasks import TICK


def queues() -> dict[str, list[str]]:
    """Return the queues that runs and ticks go to, each with the names of the Steps in question.

    Where routes of the project's own making do not say where a Step's messages go, it is left out.
    """
    found: dict[str, set[str]] = {}
    for step in registry():
        for index, trigger in enumerate(step.triggers):
            if trigger.kind != "http":
                found.setdefault(queue_at(step.name, trigger.kind, index), set()).add(step.name)
    for schedule in registry().schedules:
        found.setdefault(routed(TICK), set()).add(schedule.step.name)
    return {queue: sorted(steps) for queue, steps in sorted(found.items()) if queue}


def consumed(alive: Iterable[models.Worker]) -> set[str] | None:
    """Return the queues that these workers consume; None if there are none, or one's are unknown.

    A worker of an older release does not say, nor one that has no connection to the broker.
    """
    known = [each.queues for each in alive]
    return None if not known or None in known else {queue for each in known for queue in each}


def unconsumed(alive: Iterable[models.Worker]) -> dict[str, list[str]]:
    """Return those of `queues()` that none of these workers consumes, as far as that is known."""
    known = consumed(alive)
    if known is None:
        return {}
    return {queue: steps for queue, steps in queues().items() if queue not in known}
