"""Steps that people do: listed and drawn everywhere, and run nowhere."""

from __future__ import annotations

from io import StringIO

import pytest
from django.contrib.admin.utils import quote
from django.core.checks import INFO
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from motia_django import graph
from motia_django.checks.project import step_warnings
from motia_django.registry import registry
from tests.projects import Project

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

FLAT = """
    config = {
        "type": "noop",
        "name": "Approve by hand",
        "virtualSubscribes": ["asked"],
        "virtualEmits": [{"topic": "approved", "label": "Yes"}],
        "flows": ["approval"],
        "color": "green",
    }
"""
ALPHA = """
    config = {
        "name": "Approve by hand",
        "triggers": [],
        "emits": [],
        "virtualSubscribes": ["asked"],
        "virtualEmits": [{"topic": "approved", "label": "Yes"}],
        "flows": ["approval"],
    }
"""
TODAYS = """
    config = {
        "name": "Approve by hand",
        "triggers": [],
        "virtualSubscribes": ["asked"],
        "virtualEnqueues": [{"topic": "approved", "label": "Yes"}],
        "flows": ["approval"],
    }
"""
WORK = """
    config = {"type": "event", "name": "work", "subscribes": ["approved"], "emits": ["asked"],
              "flows": ["approval"]}

    async def handler(input, context):
        pass
"""


@pytest.fixture(params=[FLAT, ALPHA, TODAYS], ids=["0.x", "1.0-alpha", "today's"])
def approval(request: pytest.FixtureRequest, project: Project) -> Project:
    """A flow with a Step in it that people do."""
    project.step("approve_step.py", request.param)
    project.step("work_step.py", WORK)
    project.load()
    return project


def test_every_page_that_shows_steps_shows_it(approval: Project, admin_client: Client) -> None:
    page = reverse("admin:motia_step_change", args=[quote("Approve by hand")])
    for address in (page, "/admin/motia/step/", "/admin/motia/flow/", "/admin/motia/run/"):
        response = admin_client.get(address)
        assert response.status_code == 200, address
    assert "Approve by hand" in admin_client.get("/admin/motia/step/").content.decode()


def test_the_graph_leads_through_it(approval: Project) -> None:
    drawn = graph.read(registry(), "approval")
    assert {
        ("topic:asked", "step:Approve by hand"),
        ("step:Approve by hand", "topic:approved"),
    } <= {(each.source, each.target) for each in drawn.edges}
    assert not any(node.is_unsent for node in drawn.nodes)


@pytest.mark.parametrize("command", [["list"], ["show", "Approve by hand"], ["graph"]])
def test_commands_tell_of_it(approval: Project, command: list[str]) -> None:
    out = StringIO()
    call_command("motia_steps", *command, stdout=out)
    assert "Approve by hand" in out.getvalue()


def test_a_step_that_nothing_starts_is_an_error_if_it_says_no_more(project: Project) -> None:
    project.step(
        "lost_step.py", 'config = {"name": "lost", "triggers": []}\n\n\ndef handler(): ...\n'
    )
    [problem] = project.problems()
    assert "a list of at least one trigger" in problem.message


def test_keys_that_mean_nothing_are_told_of_and_stop_nobody(project: Project) -> None:
    project.step("approve_step.py", FLAT)
    project.load()
    [told] = [each for each in step_warnings(None) if each.id == "motia.I002"]
    assert told.level == INFO
    assert "unknown key 'color'" in told.msg
    assert str(told.obj).endswith("approve_step.py:7")
