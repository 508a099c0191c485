"""Messages as they are caught where Celery stands."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from celery.signals import after_task_publish

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
    caught = Post()
    with broker.replaced(caught.lend):
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
    assert (letter.id, letter.task, letter.queue) == (run_id, "motia.Work", "slow")
    assert letter.arguments == (run_id,)
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
