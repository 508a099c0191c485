"""The job as each contender has it, but for ours, which are Steps."""

from __future__ import annotations

import os
from typing import Any

from celery import shared_task

from benchmarks.contenders.jobs import marks

_KIND = os.environ["JOBS_CONTENDER"]


@shared_task(ignore_result=True)
def early(sent: float) -> None:
    """Note the call; acknowledged before, as our runs of the ledger are."""
    marks.note(sent)


@shared_task(ignore_result=True, acks_late=True, reject_on_worker_lost=True)
def late(sent: float) -> None:
    """Note the call; acknowledged after, as our light runs are."""
    marks.note(sent)


@shared_task
def results(sent: float) -> None:
    """Note the call, and have its result kept."""
    marks.note(sent)


if _KIND == "procrastinate":
    from procrastinate.contrib.django import app

    @app.task
    def procrastinate(sent: float) -> None:
        """Note the call."""
        marks.note(sent)


if _KIND == "django_tasks":
    from django_tasks import task

    @task
    def django_tasks(sent: float) -> None:
        """Note the call."""
        marks.note(sent)


if _KIND == "huey":
    from huey.contrib import djhuey

    hueys_task: Any = djhuey.task()

    @hueys_task  # type: ignore[untyped-decorator]
    def huey(sent: float) -> None:
        """Note the call."""
        marks.note(sent)
