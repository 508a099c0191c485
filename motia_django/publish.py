"""After commit, hand run ids to Celery; whatever the broker does, the ledger has the runs."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections import deque
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
_eager = threading.local()


def publish_on_commit(runs: Sequence[Run]) -> None:
    """Publish these runs when the transaction they were kept in commits; at once outside of one."""
    if runs:
        transaction.on_commit(lambda: publish(runs), using=ledger.database(), robust=True)


def publish(runs: Sequence[Run], *, insist: bool = False) -> bool:
    """Send each run's id as the message of its Step's task; return whether the broker took them.

    It takes about twice `PUBLISH_TIMEOUT` at most, and nothing is raised: what the broker does not
    take in that time stays queued for upkeep. After a failure further calls do not even try for
    some seconds. Upkeep itself does `insist`. Where Celery is eager the runs are run here.
    """
    global _down_until
    if is_eager():
        _run_here(runs)
        return True
    now = time.monotonic()
    left = deque(runs)
    if insist or now >= _down_until:
        try:
            _send_all(left, math.inf if insist else now + 2 * settings().publish_timeout)
            _down_until = 0.0
        except Exception as error:
            _down_until = time.monotonic() + _PAUSE
            logger.error("The broker took no message (%r); upkeep will try again", error)
    if left:
        ledger.publish_soon(run.id for run in left)
    return not left


def is_eager() -> bool:
    """Return whether Celery runs tasks in the calling process: then nothing can wait."""
    return bool(project_app().conf.task_always_eager)


def _send_all(left: deque[Run], deadline: float) -> None:
    """Send these runs' messages and take each off the list; stop at the deadline."""
    with _producer() as producer:
        while left and time.monotonic() <= deadline:
            _send(left[0], producer)
            left.popleft()


def _run_here(runs: Sequence[Run]) -> None:
    """Run eagerly, one after the other; what a run causes meanwhile waits until it is done."""
    waiting: deque[Run] | None = getattr(_eager, "waiting", None)
    if waiting is not None:
        waiting.extend(runs)
        return
    _eager.waiting = waiting = deque(runs)
    try:
        while waiting:
            _send(waiting.popleft(), None)
    finally:
        _eager.waiting = None


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
def _producer() -> Iterator[Producer]:
    """Lend a producer whose connection gives up soon."""
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
