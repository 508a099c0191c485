"""The Celery queues that somebody has to consume, for what Steps are sent."""

from __future__ import annotations

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
