"""Which Celery queue runs go to: the one that their trigger names, or else by Celery's routes."""

from __future__ import annotations

from functools import lru_cache

from motia_django.celery_app import project_app, task_name
from motia_django.registry import registry
from motia_django.runs import Run


def queue_of(run: Run) -> str:
    """Return the Celery queue that a run's message goes to."""
    return queue_at(run.step, run.trigger, run.index, run.source)


def queue_at(step: str, trigger: str, index: int, source: str = "") -> str:
    """Return the Celery queue that the runs of a Step's trigger go to."""
    return routed(task_name(step), registry().delivery(step, trigger, index, source).queue)


@lru_cache(maxsize=4096)
def routed(task: str, queue: str | None = None) -> str:
    """Return the queue that a task's messages go to, if `queue` is asked for where it is sent.

    Where routes of the project's own making do not say it, that is `queue`, or "": not known.
    """
    try:
        route = project_app().amqp.router.route({"queue": queue} if queue else {}, task)
        return str(route["queue"].name)
    except Exception:
        return queue or ""
