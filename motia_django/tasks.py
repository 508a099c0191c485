"""The Celery tasks: one for each Step, and one for the ticks of schedules."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from celery import Task, shared_task
from celery.exceptions import Reject, SoftTimeLimitExceeded
from django.db import DatabaseError, InterfaceError, connections

from motia_django import leases, ledger, publish, runner, ticks
from motia_django.celery_app import task_name
from motia_django.conf import settings
from motia_django.registry import registry
from motia_django.runs import Outcome, Run, Settlement, Status
from motia_django.steps import Step

TICK = "motia_django.tick"
"""Not `motia.tick`, which would be the task of a Step named `tick`."""
_OPTIONS: dict[str, Any] = {"bind": True, "ignore_result": True, "max_retries": 0}
_KEPT_BY_THE_LEDGER = {"acks_late": False, "Request": "motia_django.killed:KeptRequest"}
_KEPT_BY_THE_BROKER = {"acks_late": True, "reject_on_worker_lost": True}
_LIGHT = {**_KEPT_BY_THE_BROKER, "Request": "motia_django.killed:LightRequest"}
_OF_TICKS = {**_KEPT_BY_THE_BROKER, "Request": "motia_django.killed:ReturnedRequest"}


_paused: frozenset[str] = frozenset()
_paused_until = 0.0

T = TypeVar("T")
logger = logging.getLogger("motia.tasks")

_PAUSES = (0.0, 0.5, 2.0, 5.0)
"""Seconds between tries to reach the database."""


def register(steps: Iterable[Step]) -> None:
    """Give each Step its task, `motia.<Step>`, in the project's own Celery app."""
    make_task: Any = shared_task
    for step in steps:
        kept_by = _KEPT_BY_THE_LEDGER if step.keeps_all else _LIGHT
        make_task(name=task_name(step.name), **_OPTIONS, **kept_by)(execute)
    make_task(name=TICK, **_OPTIONS, **_OF_TICKS)(tick)


def execute(task: Task[Any, Any], run_id: str, message: dict[str, Any] | None = None) -> None:
    """Run the run of that id, if it is there to be claimed; a light one is in its message.

    The message of a run that is in the ledger is acknowledged before: what must not be lost is in
    the ledger, and a second delivery finds nothing to claim.
    """
    if message is None:
        _execute_kept(task, UUID(run_id))
    else:
        _execute_light(task, Run.from_message(run_id, message))


def _execute_kept(task: Task[Any, Any], run_id: UUID) -> None:
    step = _step(task)
    lease = timedelta(seconds=step.lease(settings().lease) if step else settings().lease)
    claim = partial(
        ledger.claim,
        run_id,
        worker=_worker(task),
        lease=lease,
        step=step.name if step and not step.limited else None,
        may_be_undone=step is not None and not step.atomic,
        delivery_of=runner.delivery_of,
        refused=publish.stand_back,
    )
    run = _insisting(claim)
    if run is None:
        return
    with leases.kept(run, lease) as held:
        finish = partial(_finish, run, held)
        settlement = runner.attempt(run, finish, held.check)
    _try_again_now(run, settlement)


def _finish(run: Run, held: leases.Held, outcome: Outcome) -> Settlement | None:
    held.ending = True
    conclude = partial(runner.conclude, run, outcome)
    try:
        return _insisting(conclude)
    except SoftTimeLimitExceeded:  # the time was up when the work was done: that counts
        return _insisting(conclude)


def _execute_light(task: Task[Any, Any], run: Run) -> None:
    """Run a light run: nothing is written while all goes well.

    Its message is acknowledged after, so it is delivered again if the worker was lost. From then on
    it is in the ledger, where its attempts are counted: what kills every worker ends dead.
    """
    try:
        if (task.request.delivery_info or {}).get("redelivered"):
            lost = "the worker was lost, or its broker was"
            _insisting(partial(ledger.take_in, run, "worker_lost", lost))
            _execute_kept(task, run.id)
        elif _is_paused(run.step):
            _insisting(partial(ledger.take_in, run, "note", "its Step was paused"))
        else:
            outcome = runner.perform(run)
            if outcome.failed or outcome.snoozed:
                _insisting(partial(_keep_failed, run, outcome))
    except Exception as error:
        logger.exception("Run %s of %s goes back to the broker", run.id, run.step)
        raise Reject(f"it could not be kept: {error!r}", requeue=True) from error


def _is_paused(step: str) -> bool:
    """Return whether a Step is paused, as it was a second ago at most: light runs have no query."""
    global _paused, _paused_until
    if time.monotonic() >= _paused_until:
        _paused = frozenset(_insisting(ledger.paused))
        _paused_until = time.monotonic() + 1.0
    return step in _paused


def _keep_failed(run: Run, outcome: Outcome) -> None:
    settlement = runner.keep(run, outcome)
    _try_again_now(replace(run, light=False), settlement)


def tick(task: Task[Any, Any], step: str, index: int, due: str | None = None) -> None:
    """Start the run of a schedule's tick; without `due`, of the last time that has been due.

    The message is acknowledged after: if the database stays away it goes back to the broker.
    """
    ticks.known.refresh()
    moment = datetime.fromisoformat(due) if due else ticks.newest(step, index)
    if moment is None:
        return
    try:
        _insisting(partial(ticks.tick, step, index, moment))
    except (DatabaseError, InterfaceError) as error:
        if not ledger.is_away(error):
            raise
        raise Reject(f"the ledger cannot be reached: {error}", requeue=True) from error


def _insisting(work: Callable[[], T]) -> T:
    """Do work on the ledger; if the connection turns out to be broken, again on a new one."""
    database = connections[ledger.database()]
    for pause in _PAUSES:
        try:
            return work()
        except (DatabaseError, InterfaceError) as error:
            if database.in_atomic_block or not ledger.is_away(error):
                raise
            logger.warning("The database failed (%s); trying again in %s s", error, pause)
            database.close()
            time.sleep(pause)
    return work()


def _step(task: Task[Any, Any]) -> Step | None:
    """Return the task's Step; None if it is gone meanwhile."""
    name = str(task.name).removeprefix(task_name(""))
    return registry().step(name) if name in registry() else None


def _worker(task: Task[Any, Any]) -> str:
    return f"{task.request.hostname or 'here'}/{os.getpid()}"


def _try_again_now(run: Run, settlement: Settlement | None) -> None:
    """Retry without the backoff where Celery is eager, which has no worker that could wait.

    There `maxRetries` bounds it even beside `retryFor`, and what is snoozed waits to be woken.
    """
    waits = settlement is not None and settlement.status is Status.SCHEDULED
    if not (waits and publish.is_eager()) or (settlement and settlement.snoozed):
        return
    if run.attempt <= runner.delivery_of(run).max_retries:
        ledger.wake(run.id)
        publish.publish([run])
