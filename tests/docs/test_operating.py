"""The page on operating: its query says what waits."""

from __future__ import annotations

from typing import Any

import pytest

from motia_django import enqueue
from motia_django.testing import Motia
from tests.docs.pages import DOCS, blocks
from tests.projects import Project

PAGE = DOCS / "operating.md"
STEP = """
config = {"name": "SendEmail", "triggers": [{"type": "queue", "topic": "email.send"}]}


def handler(input):
    pass
"""


@pytest.mark.django_db
def test_the_query_says_how_much_is_waiting_of_each_step(project: Project, motia: Motia) -> None:
    project.step("send_email_step.py", STEP)
    project.load()
    [block] = [each for each in blocks(PAGE) if "backlog" in each.text]
    enqueue([{"topic": "email.send", "data": number} for number in range(3)])
    enqueue("email.send", 3, delaySeconds=60)
    namespace: dict[str, Any] = {}
    exec(block.text, namespace)
    found = {(each["step"], each["status"]): each["runs"] for each in namespace["backlog"]}
    assert found == {("SendEmail", "queued"): 3, ("SendEmail", "scheduled"): 1}
    motia.drain(scheduled=True)
    assert list(namespace["waiting"].all()) == []
