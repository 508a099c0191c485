"""The page on testing: its Steps are loaded, and its tests are run as pytest would run them."""

from __future__ import annotations

import ast
import inspect
import re
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from motia_django.testing import Answer, Letter, Motia, OpenAnswer, Ran, Trace
from tests.docs.pages import DOCS, Block, blocks, prose
from tests.projects import Project
from tests.web.serving import served

PAGE = DOCS / "testing.md"
TESTS = [each for each in blocks(PAGE) if Path(each.title).name.startswith("test_")]


def named_in(block: Block) -> list[str]:
    """Return the names of the tests and of the cases in a block."""
    tree = ast.parse(block.text)
    there = (each for each in tree.body if isinstance(each, ast.FunctionDef | ast.ClassDef))
    return [each.name for each in there if each.name.startswith("test_") or "Test" in each.name]


@pytest.fixture
def shop(project: Project) -> Iterator[None]:
    """The Steps and the stream that the page shows, served at the root."""
    for block in blocks(PAGE):
        name = Path(block.title).name
        if name.endswith("_step.py"):
            project.step(name, block.text)
        elif name.endswith("_stream.py"):
            project.stream(name, block.text)
    project.load()
    with served():
        yield


@pytest.mark.parametrize(
    ("block", "name"),
    [pytest.param(each, name, id=name) for each in TESTS for name in named_in(each)],
)
def test_a_test_that_is_shown_passes(
    block: Block, name: str, shop: None, db: None, request: pytest.FixtureRequest
) -> None:
    namespace: dict[str, Any] = {"__name__": Path(block.title).stem}
    exec(compile(block.text, block.title, "exec"), namespace)
    shown = namespace[name]
    if isinstance(shown, type):
        result = unittest.TestResult()
        unittest.defaultTestLoader.loadTestsFromTestCase(shown).run(result)
        assert result.testsRun
        assert [text for _, text in [*result.failures, *result.errors]] == []
        return
    for mark in getattr(shown, "pytestmark", ()):
        request.node.add_marker(getattr(pytest.mark, mark.name)(**mark.kwargs))
    shown(**{each: request.getfixturevalue(each) for each in inspect.signature(shown).parameters})


def test_every_python_block_is_a_step_or_a_test_that_is_run() -> None:
    python = [each for each in blocks(PAGE) if each.language == "python"]
    kinds = [
        "test" if each in TESTS else each.title.rpartition("_")[2] for each in python if each.title
    ]
    assert len(kinds) == len(python)
    assert set(kinds) == {"test", "step.py", "stream.py"}
    assert all(named_in(each) for each in TESTS)


@pytest.mark.parametrize(
    "kind", [Motia, Ran, Answer, OpenAnswer, Trace, Letter], ids=lambda kind: kind.__name__
)
def test_the_page_names_all_that_there_is(kind: Any) -> None:
    own = {name for name in [*vars(kind), *getattr(kind, "__annotations__", {})] if name[0] != "_"}
    told = set(re.findall(r"\w+", " ".join(re.findall("`([^`]+)`", prose(PAGE)))))
    assert own - told - MAKERS == set()


MAKERS = {"of_row", "unrecorded"}
"""What makes runs, for the kit itself."""
