from __future__ import annotations

import json
import sys
from xml.etree import ElementTree

import pytest

from motia_django.graph import layout
from motia_django.registry import Registry, installed
from tests.commands.conftest import Fails, Steps


def test_the_graph_is_mermaid_unless_told_otherwise(steps: Steps) -> None:
    assert steps("graph") == steps("graph", "--format", "mermaid")
    assert steps("graph").startswith("flowchart TD\n")
    assert steps("graph", "--format", "dot").startswith('digraph "motia" {\n')


def test_one_flow_can_be_had_in_every_format(steps: Steps) -> None:
    read = json.loads(steps("graph", "--flow", "todos", "--format", "json"))
    assert read["flow"] == "todos"
    names = {each["name"] for each in read["nodes"]}
    assert names == {"CreateTodo", "ListTodos", "ProcessTodo", "todo.created"}
    drawing = ElementTree.fromstring(steps("graph", "--flow", "todos", "--format", "svg"))
    assert drawing.tag == "{http://www.w3.org/2000/svg}svg"
    assert 'digraph "todos"' in steps("graph", "--flow", "todos", "--format", "dot")


def test_an_unknown_flow_names_the_nearest(fails: Fails) -> None:
    out, error, code = fails("graph", "--flow", "todo")
    assert (out, code) == ("", 2)
    assert error == "There is no flow named 'todo'. Did you mean 'todos'?"


def test_a_drawing_that_cannot_be_made_says_what_it_needs(
    fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "graphlay", None)
    layout.laid_out.cache_clear()
    _, error, code = fails("graph", "--format", "svg")
    layout.laid_out.cache_clear()
    assert code == 1
    assert "pip install 'motia-django[graph]'" in error


def test_a_project_without_steps_has_an_empty_graph_and_no_drawing(
    steps: Steps, fails: Fails
) -> None:
    with installed(Registry()):
        assert json.loads(steps("graph", "--format", "json"))["nodes"] == []
        assert steps("graph") == "flowchart TD\n"
        assert "nothing to draw" in fails("graph", "--format", "svg")[1]
