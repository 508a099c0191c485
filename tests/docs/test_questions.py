"""What the page of questions shows is run, and does what its answers say."""

from __future__ import annotations

import json
import unittest
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models.signals import post_delete
from django.test import RequestFactory

from motia_django import enqueue, models
from motia_django.exceptions import PayloadError
from motia_django.testing import Motia
from tests.docs.pages import DOCS, blocks
from tests.projects import Project

PAGE = DOCS / "questions.md"
PYTHON = [each for each in blocks(PAGE) if each.language == "python"]
STEPS = [each for each in PYTHON if each.title.endswith("_step.py")]
FAREWELL = """
config = {"name": "Farewell", "triggers": [{"type": "queue", "topic": "user.left"}]}


def handler(input):
    pass
"""
COUNT = """
config = {
    "name": "Count",
    "triggers": [{"type": "queue", "topic": "count", "config": {"type": "fifo"}}],
    "index": ["order"],
}


def handler(input):
    pass
"""


@pytest.fixture(autouse=True)
def shop(project: Project, db: None) -> None:
    """The Steps of the page, and two more."""
    for block in STEPS:
        project.step(Path(block.title).name, block.text)
    project.step("farewell_step.py", FAREWELL)
    project.step("count_step.py", COUNT)
    project.load()


def shown(name: str) -> Any:
    """Return what a block defines under this name."""
    [block] = [each for each in PYTHON if f" {name}(" in each.text]
    namespace: dict[str, Any] = {"__name__": "shop.shown"}
    exec(compile(block.text, block.title, "exec"), namespace)
    return namespace[name]


def test_a_view_starts_the_step_and_another_says_how_far_it_is(motia: Motia) -> None:
    request = RequestFactory().post("/", {"name": "ada"})
    run_id = json.loads(shown("join")(request).content)["run"]
    progress = shown("progress")
    assert json.loads(progress(request, run_id).content) == {"status": "queued"}
    motia.drain()
    assert json.loads(progress(request, run_id).content) == {"status": "succeeded"}
    [log] = motia.logs.of("Welcome")
    assert log.fields == {"name": "ada"}


def test_a_signal_sends_a_message(motia: Motia) -> None:
    receiver = shown("tell_that_a_user_left")
    try:
        User.objects.create_user("ada").delete()
    finally:
        post_delete.disconnect(receiver, sender=User)
    assert motia.enqueued("user.left") == [{"name": "ada"}]


def test_a_management_command_sends_a_message_for_each_user(motia: Motia) -> None:
    User.objects.bulk_create([User(username="ada"), User(username="bob")])
    shown("Command")().handle()
    motia.drain()
    assert [log.fields for log in motia.logs.of("Welcome")] == [{"name": "ada"}, {"name": "bob"}]


def test_a_run_of_a_user_who_is_gone_is_dead_at_once(motia: Motia) -> None:
    [run] = motia.queue("user.joined", {"user": 0}, raises=False)
    assert (run.status, run.attempt) == ("dead", 1)


def test_a_model_instance_is_refused_with_what_to_send_instead(motia: Motia) -> None:
    with pytest.raises(PayloadError, match="send its primary key instead"):
        motia.queue("user.joined", {"user": User(username="ada")})


def test_a_celery_task_is_sent_by_an_atomic_step_that_commits(motia: Motia) -> None:
    motia.fail("MakeInvoice", after=True)
    motia.queue("order.paid", {"id": "17"})
    assert list(motia.tasks) == []
    motia.drain(scheduled=True)
    [sent] = motia.tasks
    assert (sent.name.rpartition(".")[2], sent.args) == ("draw_pdf", ("17",))


def test_the_test_that_is_shown_passes() -> None:
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(shown("WelcomeTest")).run(result)
    assert result.testsRun
    assert [text for _, text in [*result.failures, *result.errors]] == []


def test_a_run_is_one_row_and_a_key_or_a_turn_one_more(motia: Motia) -> None:
    tables = (models.Run, models.RunKey, models.Turn)
    enqueue("count", {"order": 17}, messageGroupId="a")
    assert [table.objects.count() for table in tables] == [1, 1, 1]
    motia.drain()
    assert [table.objects.count() for table in tables] == [1, 1, 0]
