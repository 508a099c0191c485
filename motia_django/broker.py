"""The broker's side of publishing: one run's message, through a producer that gives up soon."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from kombu import Connection, Producer
from kombu.pools import ProducerPool

from motia_django import telemetry, tracing
from motia_django.celery_app import project_app, task_name
from motia_django.conf import settings
from motia_django.delivery import Delivery
from motia_django.runs import Run

_ONE_MORE_TRY = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}
_POOL_SIZE = 10
_GRACE = 10.0
"""Seconds between asking an attempt to end and killing its process."""
HIGHEST_PRIORITY = 9


FRESH = "motia_fresh"
"""The header of messages whose runs were just born: in a queue these are in the order of births."""


def send(
    run: Run, delivery: Delivery, *, is_async: bool, fresh: bool, producer: Producer | None
) -> None:
    """Send a run's message: its id, and if it is light all of it; raise what the broker raises."""
    task: Any = project_app().tasks[task_name(run.step)]
    run_id = str(run.id)
    arguments = (run_id, run.to_message()) if run.light else (run_id,)
    headers = {FRESH: True} if fresh else {}
    with telemetry.continued(run.trace_id, run.parent_span):
        task.apply_async(
            arguments,
            task_id=run_id,
            producer=producer,
            queue=delivery.queue,
            retry=True,
            retry_policy=_ONE_MORE_TRY,
            argsrepr=f"({run_id!r},)",
            kwargsrepr="{}",
            headers={**headers, **tracing.headers(run.trace_id, run.parent_span)},
            **_priority(delivery, producer),
            **_time_limits(delivery, is_async),
        )


@contextmanager
def producer() -> Iterator[Producer]:
    """Lend a producer whose connection gives up soon."""
    pool = _pool(os.getpid(), settings().publish_timeout)
    with pool.acquire(block=True, timeout=settings().publish_timeout) as lent:
        yield lent


def _time_limits(delivery: Delivery, is_async: bool) -> dict[str, float]:
    """Return Celery's limits of one attempt; an async handler is ended by its own event loop."""
    seconds = delivery.visibility_timeout
    if seconds is None:
        return {}
    hard = {"time_limit": seconds + _GRACE}
    return hard if is_async else {"soft_time_limit": seconds, **hard}


def _priority(delivery: Delivery, producer: Producer | None) -> dict[str, int]:
    """Return the message's priority as its broker counts: Redis from 0 up, AMQP from 9 down."""
    connection = producer.connection if producer else None
    if delivery.priority is None or connection is None:
        return {}
    if connection.transport.driver_type == "redis":
        return {"priority": HIGHEST_PRIORITY - delivery.priority}
    return {"priority": delivery.priority}


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
