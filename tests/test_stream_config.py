"""Stream files: what they declare, and every problem they have."""

from __future__ import annotations

import pytest

from motia_django.declarations import Problem
from motia_django.exceptions import UnknownStream
from tests.projects import Project

FOLLOWER = """
    config = {
        "name": "Follow",
        "triggers": [{"type": "stream", "streamName": "orders"}],
    }


    def handler(change, ctx): ...
"""


def only(problems: list[Problem]) -> Problem:
    """Return the one problem there is."""
    assert len(problems) == 1, list(map(str, problems))
    return problems[0]


def test_streams_are_found_in_both_folders_at_any_depth(project: Project) -> None:
    project.stream("orders_stream.py", 'config = {"name": "orders"}')
    project.stream("deep/er/chat_stream.py", 'config = {"name": "chat messages"}')
    project.step("todos_stream.py", 'config = {"name": "todos"}')
    project.write("elsewhere_stream.py", "raise RuntimeError('must not be imported')")
    assert sorted(project.load().streams) == ["chat messages", "orders", "todos"]


@pytest.mark.parametrize("style", ["camel", "snake"])
def test_a_stream_file_says_all_of_it_in_either_spelling(project: Project, style: str) -> None:
    keys = ("canAccess", "onJoin", "onLeave", "baseConfig", "storageType")
    if style == "snake":
        keys = ("can_access", "on_join", "on_leave", "base_config", "storage_type")
    project.stream(
        "orders_stream.py",
        f'''
        from pydantic import BaseModel


        class Order(BaseModel):
            id: str
            status: str


        async def admitted(subscription, auth):
            return True


        config = {{
            "name": "orders",
            "description": "How orders get on.",
            "schema": Order,
            "limit": 50,
            "{keys[0]}": admitted,
            "{keys[1]}": lambda subscription: None,
            "{keys[2]}": lambda: None,
            "{keys[3]}": {{"{keys[4]}": "default"}},
        }}
        ''',
    )
    stream = project.load().stream("orders")
    assert stream.description == "How orders get on."
    assert stream.schema is not None
    assert stream.limit == 50
    assert stream.can_access is not None
    assert stream.on_join is not None
    assert stream.on_leave is not None
    assert (stream.app, stream.line) == (project.name, 14)


@pytest.mark.parametrize(
    ("source", "id", "message"),
    [
        ("nothing = 1", "motia.E002", "needs a top-level `config`"),
        ("config = 5", "motia.E003", "expected a dict, got 5"),
        ("config = {}", "motia.E006", "the key 'name' is missing"),
        ('config = {"name": ""}', "motia.E005", "config.name: expected a string"),
        ('config = {"name": "a", "shema": {}}', "motia.E004", "unknown key 'shema' of a stream"),
        ('config = {"name": "a", "schema": 5}', "motia.E005", "config.schema: expected a pydantic"),
        ('config = {"name": "a", "limit": 0}', "motia.E005", "a whole number greater than 0"),
        ('config = {"name": "a", "canAccess": True}', "motia.E005", "expected a function of (sub"),
        (
            'config = {"name": "a", "onJoin": lambda a, b, c, d: 1}',
            "motia.E005",
            "a function of at most 2 arguments",
        ),
        (
            'config = {"name": "a", "baseConfig": {"storageType": "redis"}}',
            "motia.E005",
            "streams live in the database",
        ),
        ("import missing_module", "motia.E001", "ModuleNotFoundError"),
    ],
)
def test_a_problem_of_a_stream_file_is_named(
    project: Project, source: str, id: str, message: str
) -> None:
    file = project.stream("a_stream.py", source)
    problem = only(project.problems())
    assert (problem.id, problem.file, problem.line) == (id, file, 1)
    assert message in problem.message


def test_two_streams_of_one_name_are_a_problem(project: Project) -> None:
    project.stream("a_stream.py", 'config = {"name": "orders"}')
    project.stream("b_stream.py", 'config = {"name": "orders"}')
    problem = only(project.problems())
    assert problem.id == "motia.E008"
    assert "a_stream.py" in problem.message


def test_a_step_that_follows_a_stream_that_is_not_there_is_a_problem(project: Project) -> None:
    project.step("follow_step.py", FOLLOWER)
    project.stream("a_stream.py", 'config = {"name": "order"}')
    problem = only(project.problems())
    assert problem.id == "motia.E011"
    assert "there is no stream named 'orders'" in problem.message
    assert problem.hint == "Did you mean 'order'?"


def test_an_unknown_stream_is_an_error_with_the_nearest_name(project: Project) -> None:
    project.stream("a_stream.py", 'config = {"name": "orders"}')
    with pytest.raises(UnknownStream, match="no stream named 'order'. Did you mean 'orders'"):
        project.load().stream("order")


def test_a_module_beside_the_folder_that_hides_it_is_named(project: Project) -> None:
    project.write("streams.py", "")
    project.stream("a_stream.py", 'config = {"name": "orders"}')
    assert "streams.py beside the folder streams/" in only(project.problems()).hint


def test_a_stream_file_that_cannot_be_read_is_the_only_problem(project: Project) -> None:
    project.step("follow_step.py", FOLLOWER)
    project.stream("a_stream.py", "1 / 0")
    assert only(project.problems()).id == "motia.E001"
