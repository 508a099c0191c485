"""The Celery tasks: one for each Step, and one for the ticks of schedules."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from celery import Task, shared_task
from celery.exceptions import Reject
from django.db import InterfaceError, OperationalError, connections

from motia_django import dispatch, leases, ledger, publish, runner, ticks
from motia_django.celery_app import task_name
from motia_django.conf import settings
from motia_django.runs import Run, Status
from motia_django.steps import Step

TICK = "motia.tick"
_OPTIONS: dict[str, Any] = {"bind": True, "ignore_result": True, "max_retries": 0}
_KEPT_BY_THE_LEDGER = {"acks_late": False}
_KEPT_BY_THE_BROKER = {"acks_late": True, "reject_on_worker_lost": True}


T = TypeVar("T")
logger = logging.getLogger("motia.tasks")

_PAUSES = (0.0, 0.5, 2.0, 5.0)
"""Seconds between tries to reach the database."""


def register(steps: Iterable[Step]) -> None:
    """Give each Step its task, `motia.<Step>`, in the project's own Celery app."""
    make_task: Any = shared_task
    for step in steps:
        make_task(name=task_name(step.name), **_OPTIONS, **_KEPT_BY_THE_LEDGER)(execute)
    make_task(name=TICK, **_OPTIONS, **_KEPT_BY_THE_BROKER)(tick)


def execute(task: Task[Any, Any], run_id: str) -> None:
    """Run the run of that id, if it is there to be claimed.

    The message is acknowledged before: what must not be lost is in the ledger, and a second
    delivery finds nothing to claim.
    """
    lease = timedelta(seconds=settings().lease)
    claim = partial(ledger.claim, UUID(run_id), worker=_worker(task), lease=lease)
    run = _insisting(claim)
    if run is None:
        return
    own = runner.delivery_of(run).visibility_timeout
    if own is not None:
        lease = timedelta(seconds=own)
        ledger.renew(run, lease=lease)
    with leases.kept(run, lease):
        outcome = runner.perform(run)
        settlement = _insisting(partial(runner.conclude, run, outcome))
    if settlement and settlement.status is Status.SCHEDULED and publish.is_eager():
        _try_again_now(run)


def tick(task: Task[Any, Any], step: str, index: int, due: str | None = None) -> None:
    """Start the run of a schedule's tick; without `due`, of the last time that has been due.

    The message is acknowledged after: if the database stays away it goes back to the broker.
    """
    moment = datetime.fromisoformat(due) if due else ticks.newest(ticks.trigger_of(step, index))
    if moment is None:
        return
    try:
        _insisting(partial(dispatch.tick, step, index, moment))
    except (OperationalError, InterfaceError) as error:
        raise Reject(f"the ledger cannot be reached: {error}", requeue=True) from error


def _insisting(work: Callable[[], T]) -> T:
    """Do work on the ledger; if the connection turns out to be broken, again on a new one."""
    database = connections[ledger.database()]
    for pause in _PAUSES:
        try:
            return work()
        except (OperationalError, InterfaceError) as error:
            if database.in_atomic_block:
                raise
            logger.warning("The database failed (%s); trying again in %s s", error, pause)
            database.close()
            time.sleep(pause)
    return work()


def _worker(task: Task[Any, Any]) -> str:
    return f"{task.request.hostname or 'here'}/{os.getpid()}"


def _try_again_now(run: Run) -> None:
    """Retry without the backoff: an eager Celery has no worker that could wait."""
    ledger.wake(run.id)
    publish.publish([run])
