"""After commit, hand run ids to Celery; whatever the broker does, the ledger has the runs."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from django.db import transaction
from kombu import Connection, Producer
from kombu.pools import ProducerPool

from motia_django import ledger
from motia_django.celery_app import project_app, task_name
from motia_django.conf import settings
from motia_django.exceptions import MotiaError
from motia_django.registry import registry
from motia_django.runs import Run

logger = logging.getLogger("motia.publish")

_ONE_MORE_TRY = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}
_PAUSE = 5.0
"""Seconds for which requests leave publishing to upkeep, once the broker has failed them."""
_POOL_SIZE = 10
_down_until = 0.0


def publish_on_commit(runs: Sequence[Run]) -> None:
    """Publish these runs when the transaction they were kept in commits; at once outside of one."""
    if runs:
        transaction.on_commit(lambda: publish(runs), using=ledger.database(), robust=True)


def publish(runs: Sequence[Run], *, insist: bool = False) -> bool:
    """Send each run's id as the message of its Step's task; return whether the broker took them.

    It takes about twice `PUBLISH_TIMEOUT` at most, and nothing is raised: what the broker does not
    take stays queued for upkeep. After a failure further calls do not even try for some seconds,
    unless they `insist`.
    """
    global _down_until
    if not insist and time.monotonic() < _down_until:
        ledger.publish_soon(run.id for run in runs)
        return False
    sent = 0
    try:
        with _producer() as producer:
            for run in runs:
                _send(run, producer)
                sent += 1
    except Exception as error:
        _down_until = time.monotonic() + _PAUSE
        left = runs[sent:]
        logger.error("The broker took no message (%r); %d left to upkeep", error, len(left))
        ledger.publish_soon(run.id for run in left)
        return False
    _down_until = 0.0
    return True


def is_eager() -> bool:
    """Return whether Celery runs tasks in the calling process: then nothing can wait."""
    return bool(project_app().conf.task_always_eager)


def _send(run: Run, producer: Producer | None) -> None:
    task: Any = project_app().tasks.get(task_name(run.step))
    if task is None:
        logger.error("No Step %r here for run %s: it stays queued", run.step, run.id)
        return
    run_id = str(run.id)
    task.apply_async(
        (run_id,),
        task_id=run_id,
        producer=producer,
        queue=_queue(run),
        retry=True,
        retry_policy=_ONE_MORE_TRY,
        argsrepr=f"({run_id!r},)",
        kwargsrepr="{}",
    )


def _queue(run: Run) -> str | None:
    try:
        return registry().step(run.step).trigger(run.trigger, run.index).delivery.queue
    except MotiaError:
        return None


@contextmanager
def _producer() -> Iterator[Producer | None]:
    """Lend a producer whose connection gives up soon; None where Celery is eager and needs none."""
    if is_eager():
        yield None
        return
    pool = _pool(os.getpid(), settings().publish_timeout)
    with pool.acquire(block=True, timeout=settings().publish_timeout) as producer:
        yield producer


@lru_cache(maxsize=1)
def _pool(process: int, timeout: float) -> ProducerPool:
    """Return this process's pool; a forked child must not share its parent's sockets."""
    app = project_app()
    plain = app.connection_for_write()
    connection: Connection = app.connection_for_write(
        transport_options=_bounds(plain.transport.driver_type, timeout), connect_timeout=timeout
    )
    return ProducerPool(connection.Pool(_POOL_SIZE), limit=_POOL_SIZE)


def _bounds(driver: str, timeout: float) -> dict[str, Any]:
    """Return the transport's own options that bound how long its socket may wait."""
    if driver == "redis":
        return {"socket_timeout": timeout, "socket_connect_timeout": timeout}
    if driver in ("amqp", "py-amqp"):
        return {"read_timeout": timeout, "write_timeout": timeout, "connect_timeout": timeout}
    return {}
