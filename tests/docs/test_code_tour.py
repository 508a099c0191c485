"""The tour of the code: what it names is there, and is called as it says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, headings, prose

PAGE = DOCS / "code-tour.md"
WALKS = headings(PAGE)[1:]

_STOP = re.compile(r"^\d+\. (.+(?:\n +.+)*)", re.MULTILINE)
_NAMED = re.compile(r"\[`([\w.]+)`\]\((\S+\.py)\)")


@dataclass(frozen=True, slots=True)
class Named:
    """A function, or a class, that the tour names."""

    file: Path
    name: str

    def __str__(self) -> str:
        return f"{self.file.name}: {self.name}"

    @property
    def last(self) -> str:
        """Its name as others call it."""
        return self.name.rpartition(".")[2]

    def definition(self) -> ast.AST:
        """Return its definition; fail if there is none. Its module may stand before its name."""
        found: ast.AST = parsed(self.file)
        first, *more = self.name.split(".")
        is_module = more and first in (self.file.stem, self.file.parent.name)
        for part in more if is_module else (first, *more):
            found = next(each for each in ast.iter_child_nodes(found) if is_named(each, part))
        return found


@cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"))


def is_named(node: ast.AST, name: str) -> bool:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return isinstance(node, kinds) and node.name == name


def stops(walk: str) -> list[list[Named]]:
    """Return the stops of a walk: the function that each is at, and those that it calls."""
    text = prose(PAGE).partition(f"## {walk}\n")[2].partition("\n## ")[0]
    return [
        [Named((DOCS / file).resolve(), name) for name, file in _NAMED.findall(stop)]
        for stop in _STOP.findall(text)
    ]


def names_in(node: ast.AST) -> Iterator[str]:
    """Yield the names in a piece of code in the order in which they are reached."""
    for child in ast.iter_child_nodes(node):
        if child is not getattr(node, "func", None):
            yield from names_in(child)
    if isinstance(node, ast.Call):
        yield from names_in(node.func)
    if isinstance(node, ast.Name | ast.Attribute):
        yield node.id if isinstance(node, ast.Name) else node.attr


def test_there_are_walks_with_stops() -> None:
    assert [len(stops(walk)) > 1 for walk in WALKS] == [True, True, True]


@pytest.mark.parametrize("walk", WALKS)
def test_each_function_calls_those_that_are_named_after_it_in_their_order(walk: str) -> None:
    for here, *called in stops(walk):
        reached = names_in(here.definition())
        for each in called:
            assert each.definition()
            assert each.last in reached, f"{here} does not call {each} there"


@pytest.mark.parametrize("walk", WALKS)
def test_each_stop_is_called_before_or_is_said_to_be_called_by_others(walk: str) -> None:
    text = prose(PAGE).partition(f"## {walk}\n")[2].partition("\n## ")[0]
    known: set[Named] = set()
    for stop, (here, *called) in zip(_STOP.findall(text), stops(walk), strict=True):
        assert here in known or not stop.startswith("[")
        known |= {here, *called}
