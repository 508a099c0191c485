"""Motia 1.0: a stream that no file declares, but for a `Stream("todo")` in a Step's file."""

from __future__ import annotations

import pytest
from django.test import override_settings

from motia_django import state, streams
from motia_django.checks.streams import streams as warnings
from motia_django.exceptions import UnknownStream
from tests.dialects.firing import all_went_well, sent
from tests.projects import Project

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

KEEP = """
    from typing import Any

    from motia_django import Stream, queue

    notes: Stream[dict[str, Any]] = Stream("notes")
    drafts = Stream[dict[str, Any]]("drafts")

    config = {"name": "keep", "triggers": [queue("note")], "enqueues": []}


    async def handler(input):
        await notes.set("all", input["id"], input)
        await drafts.set("all", input["id"], {"text": "draft"})
"""

HEARD = """
    from motia_django import stateManager, stream

    config = {"name": "heard", "triggers": [stream("notes")], "enqueues": []}


    async def handler(input):
        await stateManager.set("heard", input.id, input.event.data)
"""


def test_a_stream_that_a_step_makes_is_there_and_starts_steps(project: Project) -> None:
    step = project.step("keep_step.py", KEEP)
    project.step("a_heard_step.py", HEARD)
    notes = project.load().stream("notes")
    assert (notes.file, notes.line, notes.app) == (step, 5, project.name)
    sent("note", {"id": "1", "text": "milk"})
    assert streams["notes"].list("all") == [{"id": "1", "text": "milk"}]
    assert streams["drafts"].list("all") == [{"id": "1", "text": "draft"}]
    assert state.get("heard", "1") == {"id": "1", "text": "milk"}


def test_who_follows_it_is_left_to_the_project(project: Project) -> None:
    project.step("keep_step.py", KEEP)
    project.load()
    with override_settings(
        REST_FRAMEWORK={"DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"]}
    ):
        first, second = warnings()
    assert "follow stream 'notes', without" in first.msg
    assert "follow stream 'drafts', without" in second.msg


@pytest.mark.parametrize("name", ["MARKS", '"marks"'])
def test_one_that_a_function_makes_is_there(project: Project, name: str) -> None:
    project.step(
        "mark_step.py",
        f"""
        from motia_django import queue

        MARKS = "marks"

        config = {{"name": "mark", "triggers": [queue("mark")], "enqueues": []}}


        async def _marked(key):
            from motia_django import Stream

            marks = Stream[dict]({name})
            if await marks.get("seen", key):
                return True
            await marks.set("seen", key, {{"seen": True}})
            return False


        async def handler(input):
            await _marked(input["id"])
        """,
    )
    assert project.load().stream("marks").line == 11
    sent("mark", {"id": "1"})
    assert streams["marks"].get("seen", "1") == {"id": "1", "seen": True}


def test_one_that_a_module_of_the_app_makes_is_there(project: Project) -> None:
    project.write(
        "drawing/boards.py",
        """
        from motia_django import Stream


        class Boards:
            def __init__(self):
                self.stream = Stream("boards")


        boards = Boards()
        """,
    )
    project.step(
        "draw_step.py",
        """
        from drawing.boards import boards
        from motia_django import queue

        config = {"name": "draw", "triggers": [queue("draw")], "enqueues": []}


        def handler(input):
            boards.stream.set("all", "1", {"drawn": True})
        """,
    )
    project.load()
    sent("draw")
    assert streams["boards"].get("all", "1") == {"id": "1", "drawn": True}


def test_a_file_that_declares_it_has_the_word(project: Project) -> None:
    project.step("keep_step.py", KEEP)
    declared = project.stream("notes_stream.py", 'config = {"name": "notes", "limit": 7}')
    notes = project.load().stream("notes")
    assert (notes.file, notes.limit) == (declared, 7)


def test_what_is_nearly_a_declared_name_is_a_slip_of_the_pen(project: Project) -> None:
    project.step("keep_step.py", KEEP)
    project.stream("a_stream.py", 'config = {"name": "note"}')
    with pytest.raises(UnknownStream, match="Did you mean 'note'"):
        project.load().stream("notes")


def test_what_is_no_name_is_no_stream(project: Project) -> None:
    project.step(
        "odd_step.py",
        """
        from motia_django import Stream, queue

        odd = [Stream(name) for name in ("", "a" * 201, "new\\nline")]

        config = {"name": "odd", "triggers": [queue("odd")], "enqueues": []}


        def handler(input):
            Stream(input["name"]), Stream("pre" + "fixed"), Stream(unknown), Stream(7)
        """,
    )
    assert not project.load().streams


def test_a_config_is_no_name(project: Project) -> None:
    project.step(
        "config_step.py",
        """
        from motia_django import Stream, queue

        CONFIG = {"name": "closed", "canAccess": lambda: False}
        closed = Stream(CONFIG)

        config = {"name": "closing", "triggers": [queue("close")], "enqueues": []}


        def handler(input):
            Stream(CONFIG)
        """,
    )
    with pytest.raises(UnknownStream, match="no stream named 'closed'"):
        project.load().stream("closed")


def test_a_class_of_that_name_from_elsewhere_is_none(project: Project) -> None:
    project.write("plumbing/pipes.py", "class Stream:\n    def __init__(self, name): ...\n")
    project.step(
        "pipe_step.py",
        """
        from plumbing.pipes import Stream
        from motia_django import queue

        config = {"name": "pipe", "triggers": [queue("pipe")], "enqueues": []}


        def handler(input):
            Stream("pipes")
        """,
    )
    assert not project.load().streams
    sent("pipe")
    all_went_well()
