"""Streams that no file declares: in Motia 1.0 one was there once a file said `Stream("todo")`."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, FunctionType
from typing import Any

from motia_django.dialects.signatures import names_in
from motia_django.sources import Source

_PASSED_BY = (__name__, "motia_django.standalone", "typing")
"""The modules between `Stream("todo")` and the line that says it."""


@dataclass(frozen=True, kw_only=True)
class Named:
    """A stream, and where it is named."""

    name: str
    file: Path
    line: int


_found: dict[tuple[str, Path], Named] = {}
"""All that were ever found: a module says what it says when it is imported, which is once."""
_is_listening = False


@contextmanager
def listening() -> Iterator[None]:
    """Hear of each `Stream("todo")` that is made meanwhile: by files that are being imported."""
    global _is_listening
    _is_listening = True
    try:
        yield
    finally:
        _is_listening = False


def hear(name: Any) -> None:
    """Note that a stream is named by whoever makes it, if anybody listens."""
    if not _is_listening:
        return
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__") in _PASSED_BY:
        frame = frame.f_back
    if frame is not None:
        _note(name, Path(frame.f_code.co_filename), frame.f_lineno)


def look(module: Any, file: Path) -> None:
    """Note the streams that functions of a file name by a text, or by one that the file holds."""
    names = vars(module)
    own = (each for each in names.values() if isinstance(each, FunctionType))
    if not any("Stream" in names_in(each) for each in own if each.__module__ == module.__name__):
        return
    nodes = list(ast.walk(Source(file).tree))
    if not any(_imports_it(each) for each in nodes):
        return
    for node in nodes:
        if isinstance(node, ast.Call) and _is_stream(node.func) and len(node.args) == 1:
            _note(_value(node.args[0], names), file, node.lineno)


def found() -> Iterator[Named]:
    """Yield all streams that are named by files which are imported."""
    yield from _found.values()


def _note(name: Any, file: Path, line: int) -> None:
    if isinstance(name, str) and name:
        _found.setdefault((name, file), Named(name=name, file=file, line=line))


def _imports_it(node: ast.AST) -> bool:
    """Return whether a statement imports `Stream` from here, under that name."""
    if not isinstance(node, ast.ImportFrom) or not node.module:
        return False
    is_ours = node.module.split(".")[0] == "motia_django"
    return is_ours and any(each.name == "Stream" and not each.asname for each in node.names)


def _is_stream(node: ast.expr) -> bool:
    """Return whether an expression is `Stream`, or `Stream[...]`."""
    node = node.value if isinstance(node, ast.Subscript) else node
    return isinstance(node, ast.Name) and node.id == "Stream"


def _value(node: ast.expr, names: dict[str, Any]) -> Any:
    """Return the text that an argument is; None for what is not known before it is called."""
    if isinstance(node, ast.Constant):
        return node.value
    return names.get(node.id) if isinstance(node, ast.Name) else None
