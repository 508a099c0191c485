"""The broker's side of publishing: runs' messages, through a producer that gives up soon."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from typing import Any

from kombu import Connection, Producer
from kombu.pools import ProducerPool

from motia_django import telemetry, tracing
from motia_django.celery_app import project_app, task_name
from motia_django.conf import settings
from motia_django.delivery import Delivery
from motia_django.registry import registry
from motia_django.roads import Road, Way, is_usual, long_road, routed
from motia_django.runs import Run

_ONE_MORE_TRY = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}
_POOL_SIZE = 10
_BATCH = 100
"""How many messages go together, where the broker's transport has a way to do that."""
_GRACE = 10.0
"""Seconds between asking an attempt to end and killing its process."""
HIGHEST_PRIORITY = 9

Lend = Callable[[], AbstractContextManager[Producer]]
_instead: Lend | None = None


FRESH = "motia_fresh"
"""The header of messages whose runs were just born: in a queue these are in the order of births."""


class Sender:
    """Sends runs' messages through one producer; how those of a trigger go is looked up once.

    Without a producer Celery runs them here and now. Where the connection turns out to be lost it
    makes a new one and tries once more, but for those that are sent `in_one_go`.
    """

    def __init__(self, producer: Producer | None, *, fresh: bool, in_one_go: bool = False) -> None:
        self._producer, self._retries = producer, not in_one_go
        self._headers = {FRESH: True} if fresh else {}
        self._roads: dict[tuple[str, str, int, str], Road] = {}

    def send(self, run: Run) -> None:
        """Send a run's id, and if it is light all of it; raise what the broker raises."""
        key = (run.step, run.trigger, run.index, run.source)
        road = self._roads.get(key)
        if road is None:
            road = self._roads[key] = self._road_of(run)
        run_id = str(run.id)
        arguments = (run_id, run.to_message()) if run.light else (run_id,)
        headers = {**self._headers, **tracing.headers(run.trace_id, run.parent_span)}
        with telemetry.continued(run.trace_id, run.parent_span):
            road(run_id, arguments, headers)

    def _road_of(self, run: Run) -> Road:
        app, steps, producer = project_app(), registry(), self._producer
        task: Any = app.tasks[task_name(run.step)]
        delivery = steps.delivery(run.step, run.trigger, run.index, run.source)
        is_async = run.step in steps and steps.step(run.step).is_async
        connection = producer.connection if producer is not None else None
        driver = connection.transport.driver_type if connection is not None else ""
        if producer is not None and is_usual(task):
            way = _way(task, app.amqp.router, delivery, driver, is_async)
            return way.road(producer, retry=self._retries)
        options = _options(delivery, driver, is_async)
        return long_road(task, {**options, "retry": self._retries}, producer)


def _options(delivery: Delivery, driver: str, is_async: bool) -> dict[str, Any]:
    """Return Celery's options of the messages that are delivered so, to such a broker."""
    return {
        "queue": delivery.queue,
        "retry_policy": _ONE_MORE_TRY,
        **_priority(delivery, driver),
        **_time_limits(delivery, is_async),
    }


@lru_cache(maxsize=1024)
def _way(task: Any, router: Any, delivery: Delivery, driver: str, is_async: bool) -> Way:
    """Return the way of such messages, to the queue that the project's routes choose."""
    return Way(task, routed(task, router, _options(delivery, driver, is_async)))


@contextmanager
def replaced(lend: Lend) -> Iterator[None]:
    """Have messages sent through what this lends, whatever Celery is set up to do: for tests."""
    global _instead
    before, _instead = _instead, lend
    try:
        yield
    finally:
        _instead = before


def is_replaced() -> bool:
    """Return whether messages are sent through something else than the project's broker."""
    return _instead is not None


def most_at_once(producer: Producer) -> int:
    """Return how many messages it can send in one go: one, unless its transport can more."""
    return _BATCH if _has_batches(producer) or _can_bundle(producer) else 1


def in_one_go(producer: Any, count: int) -> AbstractContextManager[Any]:
    """Have the messages of the block sent together, at its end, unless it is only one.

    If that raises nobody knows which of them have arrived.
    """
    if count == 1:
        return nullcontext()
    if _has_batches(producer):
        together: AbstractContextManager[Any] = producer.batch(count)
        return together
    from motia_django.bundles import bundled  # with py-amqp, which only AMQP brokers need

    return bundled(producer.channel)


@contextmanager
def producer() -> Iterator[Producer]:
    """Lend a producer whose connection gives up soon."""
    if _instead is not None:
        with _instead() as lent:
            yield lent
        return
    pool = _pool(os.getpid(), settings().publish_timeout)
    with pool.acquire(block=True, timeout=settings().publish_timeout) as lent:
        yield lent


def _has_batches(producer: Any) -> bool:
    return bool(getattr(producer, "supports_batch_publish", False))


def _can_bundle(producer: Any) -> bool:
    """Return whether it has a connection to an AMQP broker whose messages may wait for others.

    Not so where each message is confirmed, since then each is waited for, nor where there is no
    connection yet, since the first message makes it, with its own time limit.
    """
    connection = producer.connection
    if connection.transport.driver_name != "py-amqp" or not connection.connected:
        return False
    return not connection.connection.confirm_publish


def _time_limits(delivery: Delivery, is_async: bool) -> dict[str, float]:
    """Return Celery's limits of one attempt; an async handler is ended by its own event loop."""
    seconds = delivery.visibility_timeout
    if seconds is None:
        return {}
    hard = {"time_limit": seconds + _GRACE}
    return hard if is_async else {"soft_time_limit": seconds, **hard}


def _priority(delivery: Delivery, driver: str) -> dict[str, int]:
    """Return the message's priority as its broker counts: Redis from 0 up, AMQP from 9 down."""
    if delivery.priority is None or not driver:
        return {}
    is_turned = driver == "redis"
    return {"priority": HIGHEST_PRIORITY - delivery.priority if is_turned else delivery.priority}


@lru_cache(maxsize=1)
def _pool(process: int, timeout: float) -> ProducerPool:
    """Return this process's pool; a forked child must not share its parent's sockets."""
    app = project_app()
    transport = app.connection_for_write().get_transport_cls()
    connection: Connection = app.connection_for_write(
        transport=_with_one_client(transport) if transport.driver_type == "redis" else None,
        transport_options=_bounds(transport.driver_type, timeout),
        connect_timeout=timeout,
    )
    return ProducerPool(connection.Pool(_POOL_SIZE), limit=_POOL_SIZE)


def _with_one_client(transport: Any) -> Any:
    """Return a transport to Redis whose channels make one client each, not one for each message.

    A client is but a way to its channel's connections, and redis-py takes longer to make one than
    to send a message.
    """

    class Channel(transport.Channel):  # type: ignore[misc]
        _kept: Any = None

        def _create_client(self, asynchronous: bool = False) -> Any:
            if asynchronous:
                return super()._create_client(asynchronous=True)
            if self._kept is None or self._kept.connection_pool is not self.pool:
                self._kept = super()._create_client()
            return self._kept

    return type(transport.__name__, (transport,), {"Channel": Channel})


def _bounds(driver: str, timeout: float) -> dict[str, Any]:
    """Return the transport's own options that bound how long its socket may wait."""
    if driver == "redis":
        return {"socket_timeout": timeout, "socket_connect_timeout": timeout}
    if driver in ("amqp", "py-amqp"):
        return {"read_timeout": timeout, "write_timeout": timeout, "connect_timeout": timeout}
    return {}
