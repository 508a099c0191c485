"""Which Celery queues somebody has to consume, and who does, as workers say at each sign."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from kombu import Connection, Consumer, Queue

from motia_django import consumers, ledger
from motia_django.upkeep import consumed_by
from tests.factories import QUEUE, installed, make_step, nothing, routing

pytestmark = pytest.mark.django_db
STEPS = (
    make_step(nothing, {**QUEUE, "config": {"queue": "hooks"}}, name="Hook"),
    make_step(nothing, QUEUE, {"type": "cron", "expression": "* * * * *"}, name="Bill"),
    make_step(nothing, {"type": "http", "path": "/x"}, name="Door"),
)


def test_each_queue_has_the_steps_whose_runs_or_ticks_go_there() -> None:
    with installed(*STEPS), routing(task_routes={"motia_django.tick": "ticks"}, task_queues=None):
        assert consumers.queues() == {"celery": ["Bill"], "hooks": ["Hook"], "ticks": ["Bill"]}
    with installed(), routing(task_routes={"motia_django.tick": "ticks"}, task_queues=None):
        assert consumers.queues() == {}


@pytest.mark.parametrize(
    ("signed", "missing"),
    [
        ([], []),
        ([["celery", "hooks"]], []),
        ([["celery"], ["hooks", "other"]], []),
        ([["celery"], ["other"]], ["hooks"]),
        ([[]], ["celery", "hooks"]),
        ([["celery"], None], []),
    ],
    ids=["no worker", "one", "two", "hooks not", "cancelled all", "one does not say"],
)
def test_what_no_worker_consumes_is_known_once_all_have_said_it(
    signed: list[list[str] | None], missing: list[str]
) -> None:
    for number, queues in enumerate(signed):
        ledger.see(f"w{number}@here", queues)
    with installed(*STEPS), routing(task_routes=None, task_queues=None):
        assert list(consumers.unconsumed(ledger.workers())) == missing


def test_a_worker_says_at_each_sign_what_it_consumes_then() -> None:
    worker = SimpleNamespace()
    assert consumed_by(worker) is None
    worker.consumer = SimpleNamespace(task_consumer=None)
    assert consumed_by(worker) is None
    with Connection("memory://") as connection:
        tasks = Consumer(connection.channel(), [Queue("shop"), Queue("billing")])
        worker.consumer.task_consumer = tasks
        assert consumed_by(worker) == ["billing", "shop"]
        tasks.add_queue(Queue("hooks"))
        tasks.cancel_by_queue("shop")
        assert consumed_by(worker) == ["billing", "hooks"]
