"""Messages as they are caught where Celery stands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from celery import group
from celery.backends.redis import RedisBackend
from celery.signals import after_task_publish
from django.db import transaction
from kombu.exceptions import EncodeError

from motia_django import broker, enqueue
from motia_django.celery_app import project_app
from motia_django.testing import Motia
from motia_django.testing.commits import commit
from motia_django.testing.post import Post
from tests.factories import heard, installed, make_step

pytestmark = pytest.mark.django_db


@pytest.fixture
def post() -> Iterator[Post]:
    """Where messages are caught."""
    with Post() as caught:
        yield caught


def test_a_message_is_celerys_own(post: Post) -> None:
    config = {"queue": "slow", "visibilityTimeout": 5}
    step = make_step(lambda input: input, {"type": "queue", "topic": "work", "config": config})
    told: list[str] = []

    def note(sender: str, **kwargs: Any) -> None:
        told.append(sender)

    with heard(after_task_publish, note), installed(step):
        [run_id] = enqueue("work", {"n": 1})
        commit()
        [letter] = post.take()
    assert (letter.id, letter.name, letter.queue) == (run_id, "motia.Work", "slow")
    assert letter.args == (run_id,)
    assert letter.headers["timelimit"] == [15, 5]
    assert told == ["motia.Work"]


def test_a_light_run_travels_whole_through_the_projects_serializer(motia: Motia) -> None:
    with installed(make_step(lambda input: input["n"], record="failures")):
        [run] = motia.queue("work", {"n": "größe 🚲"})
    assert (run.status, run.output) == ("succeeded", "größe 🚲")


def test_messages_wait_in_their_order_and_are_taken_out(post: Post) -> None:
    with installed(make_step()):
        ids = [run_id for n in range(4) for run_id in enqueue("work", n)]
        commit()
        assert [each.id for each in post.take(1, 2)] == ids[1:3]
        assert [each.id for each in post.take(0, 1)] == ids[:1]
        assert [each.id for each in post.take()] == ids[3:]
        assert len(post) == 0


@pytest.mark.parametrize("is_usual", [True, False], ids=["usual", "wrapped"])
def test_an_eager_celery_is_not_heeded_for_steps_and_is_left_for_other_tasks(
    motia: Motia, is_usual: bool, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CELERY_TASK_ALWAYS_EAGER = True
    app: Any = project_app()
    with installed(make_step()):
        task = app.tasks["motia.Work"]
        if not is_usual:
            monkeypatch.setattr(task, "apply_async", partial(task.apply_async))
        enqueue("work", 1)
        assert [run.status for run in motia.runs] == ["queued"]
        assert app.conf.task_always_eager
        motia.drain()
        assert [run.status for run in motia.runs] == ["succeeded"]


def test_after_the_test_messages_go_where_they_went() -> None:
    with Motia():
        assert broker.is_replaced()
    assert not broker.is_replaced()


# -- other tasks


@pytest.fixture
def receipt() -> Iterator[Any]:
    """A task of the project's that is no Step."""
    app: Any = project_app()

    def send_receipt(order: str, *, copies: int = 1) -> str:
        if order == "lost":
            raise LookupError(order)
        return f"{copies} of {order}"

    yield app.task(name="tests.tasks.send_receipt")(send_receipt)
    del app.tasks["tests.tasks.send_receipt"]


def test_a_task_that_waits_for_a_commit_is_caught_and_neither_run_nor_sent(
    motia: Motia, receipt: Any
) -> None:
    def handler(input: Any, ctx: Any) -> None:
        receipt.delay_on_commit(input["order"], copies=2)

    with installed(make_step(handler)):
        with transaction.atomic():
            receipt.delay_on_commit("undone")
            transaction.set_rollback(True)
        [run] = motia.queue("work", {"order": "größe 🚲"})
        assert len(motia.drain()) == 1
    assert run.status == "succeeded"
    [sent] = motia.tasks
    assert (sent.name, sent.args, sent.kwargs) == (
        "tests.tasks.send_receipt",
        ("größe 🚲",),
        {"copies": 2},
    )
    assert (sent.queue, sent.eta) == ("celery", None)
    assert sent.run() == "2 of größe 🚲"
    assert len(motia.tasks) == 1


def test_tasks_by_whatever_road_are_caught_as_a_worker_would_be_given_them(
    motia: Motia, receipt: Any
) -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    receipt.apply_async(("eta",), eta=noon, queue="slow")
    project_app().send_task("elsewhere.work", [("a", "tuple")])
    group(receipt.s("first"), receipt.s("second")).delay()
    assert [(each.name.partition(".")[0], each.args) for each in motia.tasks] == [
        ("tests", ("eta",)),
        ("elsewhere", (["a", "tuple"],)),
        ("tests", ("first",)),
        ("tests", ("second",)),
    ]
    assert (motia.tasks[0].eta, motia.tasks[0].queue) == (noon, "slow")
    with pytest.raises(EncodeError):
        receipt.delay(object())


def test_no_store_of_results_is_connected_to_and_no_event_is_taken_for_a_task(
    motia: Motia, receipt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    app: Any = project_app()
    monkeypatch.setitem(app.conf, "task_send_sent_event", True)
    with receipt_kept_by("redis://localhost:1/0", receipt), installed(make_step()):
        receipt.delay("kept")
        assert len(motia.queue("work")) == 1
    assert [each.args for each in motia.tasks] == [("kept",)]


@contextmanager
def receipt_kept_by(url: str, task: Any) -> Iterator[None]:
    """Have what a task returns kept at this address, at which nobody listens."""
    task.backend, task.ignore_result = RedisBackend(app=project_app(), url=url), False
    yield


def test_what_a_task_raises_that_is_run_by_the_test_is_raised(motia: Motia, receipt: Any) -> None:
    receipt.delay(17, copies=["many"])
    receipt.delay("lost")
    assert motia.tasks[0].run() == "['many'] of 17"
    with pytest.raises(LookupError, match="lost"):
        motia.tasks[1].run()


def test_an_eager_celery_runs_other_tasks_as_ever(
    motia: Motia, receipt: Any, settings: Any
) -> None:
    settings.CELERY_TASK_ALWAYS_EAGER = True
    assert receipt.delay("order").get() == "1 of order"
    assert motia.tasks == []


def test_tasks_go_where_they_always_go_if_the_test_wants_that(receipt: Any) -> None:
    app: Any = project_app()
    app.control.purge()
    with Motia(tasks="project") as motia:
        receipt.delay("order")
        assert motia.tasks == []
        assert app.control.purge() == 1
    with pytest.raises(ValueError, match="tasks: expected 'project' or None, got 'broker'"):
        Motia(tasks="broker")


def test_after_the_test_tasks_go_where_they_went(receipt: Any) -> None:
    app: Any = project_app()
    app.control.purge()
    with Motia() as outer:
        with Motia() as inner:
            receipt.delay("inner")
        receipt.delay("outer")
    receipt.delay("order")
    assert [each.args for each in (*outer.tasks, *inner.tasks)] == [("outer",), ("inner",)]
    assert app.control.purge() == 1
