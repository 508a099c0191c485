"""Before deploying: streams that anybody may follow, though nobody has said so."""

from __future__ import annotations

import pytest
from rest_framework.permissions import IsAuthenticated, IsAuthenticatedOrReadOnly

from motia_django.checks.streams import streams
from motia_django.live import access
from tests.projects import Project

RULED = """
    def rule(subscription, auth):
        return True

    config = {{"name": "{0}", "{0}": rule}}
"""


def found() -> list[tuple[str, str]]:
    return [(str(message.id), str(message.obj)) for message in streams()]


def test_of_a_stream_without_a_rule_is_warned_where_the_project_has_none(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = project.stream("alerts_stream.py", 'config = {"name": "alerts"}')
    project.load()
    warned = [("motia.W033", f"{file}:1")]
    assert found() == warned
    monkeypatch.setattr(access.Gate, "permission_classes", [IsAuthenticatedOrReadOnly])
    assert found() == warned
    monkeypatch.setattr(access.Gate, "permission_classes", [IsAuthenticated])
    assert found() == []


def test_what_a_stream_s_file_says_is_enough(project: Project) -> None:
    for name in ("canAccess", "onJoin"):
        project.stream(f"{name}_stream.py", RULED.format(name))
    project.stream("all_stream.py", 'config = {"name": "all", "canAccess": lambda: True}')
    project.load()
    assert found() == []


def test_what_cannot_be_asked_is_not_judged(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.stream("alerts_stream.py", 'config = {"name": "alerts"}')
    project.load()
    monkeypatch.setattr(access.Gate, "permission_classes", ["no class"])
    assert found() == []
