"""Pools of workers; a real one of `--pool=solo` on RabbitMQ, in a thread of this process."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery, _state
from celery.contrib.testing.worker import start_worker
from celery.signals import task_received, worker_before_create_process

from motia_django import pools
from tests.factories import installed, make_step
from tests.journeys.running import eventually
from tests.servers import fresh_rabbitmq

JOBS = 200
BEATING: dict[str, Any] = {"without_heartbeat": False, "heartbeat_interval": 0.1}
"""So that it soon sees that it is to stop."""

pytestmark = [pytest.mark.one_database, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def app(rabbitmq_server: str) -> Iterator[Celery]:
    """An app whose workers hold four messages of RabbitMQ's at once, as Celery's usually do.

    A worker makes its app the current one, and the default of all threads: after it they are again
    what they were, whose tasks other tests find.
    """
    celerys: Any = _state
    current, default = celerys._tls.current_app, celerys.default_app
    with Celery("solo", broker=fresh_rabbitmq(), set_as_current=False) as app:
        pools.join_worker(SimpleNamespace(app=app))
        yield app
    celerys._set_current_app(current)
    celerys.set_default_app(default)


@pytest.mark.parametrize("late", [True, False])
def test_what_is_done_is_acknowledged_before_what_is_next_begins(app: Celery, late: bool) -> None:
    requests: list[Any] = []
    unanswered: list[int] = []

    @app.task(name=f"work.{late}", acks_late=late, ignore_result=True)
    def work(number: int) -> None:
        before = [each for each in requests[:-1] if not each.message.acknowledged]
        unanswered.append(len(before))

    def receive(request: Any, **kwargs: Any) -> None:
        requests.append(request)

    for number in range(JOBS):
        work.delay(number)
    task_received.connect(receive)
    with start_worker(app, pool="solo", perform_ping_check=False, **BEATING):
        eventually(lambda: len(unanswered) == JOBS, lambda: f"{len(unanswered)} of {JOBS} are done")
    task_received.disconnect(receive)
    assert unanswered == [0] * JOBS


def test_what_is_not_an_answer_is_left_to_the_loop() -> None:
    later: list[object] = []
    pools._answer(lambda *what: later.append(what), print, "a remote control's command")
    assert later == [(print, "a remote control's command")]


@pytest.fixture
def thawed() -> Iterator[None]:
    """Nothing is exempt from garbage collection, as in a worker that has just begun."""
    gc.unfreeze()
    yield
    gc.freeze()


@pytest.mark.usefixtures("thawed")
def test_before_the_first_fork_all_that_is_loaded_is_exempted_from_collection() -> None:
    pools.join_worker(SimpleNamespace(app=SimpleNamespace(steps={"consumer": set()})))
    worker_before_create_process.send(sender=None)
    loaded = gc.get_freeze_count()
    later = [[number] for number in range(10_000)]
    worker_before_create_process.send(sender=None)
    assert len(later) < gc.get_freeze_count() <= loaded


def test_a_green_pool_names_the_async_steps_that_it_cannot_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def wait(input: Any, ctx: Any) -> None:
        pass

    steps = [
        make_step(wait, name="Waiting"),
        make_step(wait, {"type": "http", "method": "GET", "path": "/orders"}, name="Answering"),
        make_step(name="Plain"),
    ]
    with installed(*steps):
        for is_green in (True, False):
            pools._warn(sender=SimpleNamespace(pool=SimpleNamespace(is_green=is_green)))
    [record] = caplog.records
    assert record.getMessage().endswith("with another pool: Waiting")
