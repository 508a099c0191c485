"""Whose a piece of code is, and a Step file's text, asked where in it a thing is declared."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from types import FunctionType, MethodType
from typing import Any

Place = tuple[str | int, ...]
"""Where inside `config`: ("triggers", 0, "path")."""


def near(file: Path) -> Path:
    """Return a file as seen from the working directory, if it lies below that."""
    return file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file


def is_own(method: Any, package: str) -> bool:
    """Return whether a method of a package's is the one that it has written.

    Who watches, such as Sentry, wraps it, or puts one of his own in its place.
    """
    function = method.__func__ if type(method) is MethodType else method
    return (
        type(function) is FunctionType
        and function.__globals__["__name__"].partition(".")[0] == package
    )


class Source:
    """A Step file's text, asked for the line on which something is declared."""

    def __init__(self, file: Path, config: str = "config") -> None:
        self.file = file
        self.config = config
        """The top-level name that is meant where none is said."""

    @cached_property
    def tree(self) -> ast.Module:
        """The text, parsed when it is first asked: most files have nothing wrong with them."""
        return _parsed(self.file)

    def line(self, place: Place, name: str = "") -> int | None:
        """Return the line of `place` inside a top-level name, as near as the text tells."""
        node, line = _assigned(self.tree, name or self.config)
        for part in place:
            if node is None:
                break
            node, found = _inside(node, part)
            line = found or line
        return line


@lru_cache(maxsize=1024)
def snake(name: str) -> str:
    """Return the snake_case spelling of a camelCase name."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _parsed(file: Path) -> ast.Module:
    try:
        return ast.parse(file.read_bytes(), str(file))
    except (OSError, SyntaxError, ValueError):
        return ast.Module(body=[], type_ignores=[])


def _assigned(tree: ast.Module, name: str) -> tuple[ast.expr | None, int | None]:
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) and statement.name == name:
            return None, statement.lineno
        targets: Iterable[ast.expr] = ()
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets = (statement.target,)
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return statement.value, statement.lineno  # type: ignore[attr-defined]
    return None, None


def _inside(node: ast.expr, part: str | int) -> tuple[ast.expr | None, int | None]:
    """Return the value that stands at `part` of a literal or of a helper's call, and its line."""
    for key, value, line in _members(node):
        if key == part or (isinstance(part, str) and isinstance(key, str) and snake(key) == part):
            return value, line
    return None, None


def _members(node: ast.expr) -> Iterator[tuple[str | int | None, ast.expr, int]]:
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant):
                yield key.value, value, key.lineno  # type: ignore[misc]
    elif isinstance(node, ast.List | ast.Tuple):
        for index, value in enumerate(node.elts):
            yield index, value, value.lineno
    elif isinstance(node, ast.Call):
        for keyword in node.keywords:
            yield keyword.arg, keyword.value, keyword.value.lineno
