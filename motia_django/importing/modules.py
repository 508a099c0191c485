"""A Python file of a Motia project: what it imports, and its text with Motia's imports renamed."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import motia_django

_WORD = re.compile(rb"(?:from(?:\s|\\)+)?motia(?:\.[\w.]+)?(?:\s+as\s+\w+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """One module that a file imports."""

    name: str
    """`src.services.mail`; empty for `from . import x`."""
    names: tuple[str, ...] = ()
    """What is imported from it."""
    level: int = 0
    """How many dots a relative import begins with."""
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A file as it is to be written, and what was found in it."""

    text: bytes
    renamed: int
    """How many imports of Motia were renamed."""
    imports: tuple[Imported, ...]
    notes: tuple[str, ...]


def read(text: bytes) -> Module:
    """Return a file with its imports; what is no Python is left as it is, with a note."""
    text = text.removeprefix(b"\xef\xbb\xbf")
    try:
        tree = _parsed(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f"line {error.lineno}: {error.msg}" if isinstance(error, SyntaxError) else error
        return Module(text=text, renamed=0, imports=(), notes=(f"is no Python: {line}",))
    nodes = [each for each in ast.walk(tree) if isinstance(each, ast.Import | ast.ImportFrom)]
    edits, notes = _edits(nodes)
    return Module(
        text=_edited(text, edits),
        renamed=len(edits),
        imports=tuple(found for node in nodes for found in _imported(node)),
        notes=(*notes, *_unknown_attributes(tree)),
    )


def _parsed(text: bytes) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its escapes, which are no concern of an import
        return ast.parse(text)


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[Imported]:
    if isinstance(node, ast.ImportFrom):
        names = tuple(each.name for each in node.names)
        yield Imported(name=node.module or "", names=names, level=node.level, line=node.lineno)
        return
    for each in node.names:
        yield Imported(name=each.name, line=node.lineno)


Edit = tuple[int, int, bytes]
"""The line and the byte of it where a word stands, and what is to stand there."""


def _edits(nodes: list[ast.Import | ast.ImportFrom]) -> tuple[list[Edit], list[str]]:
    edits: list[Edit] = []
    notes: list[str] = []
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            if node.level == 0 and _is_motias(node.module or ""):
                missing = _missing(each.name for each in node.names)
                notes += [_has_no(name, node.lineno) for name in missing]
                edits.append((node.lineno, node.col_offset, b"from motia_django"))
            continue
        for each in node.names:
            if each.name == "motia":
                name = f"motia_django as {each.asname or 'motia'}".encode()
                edits.append((each.lineno, each.col_offset, name))
            elif _is_motias(each.name):
                notes.append(f"line {node.lineno}: `import {each.name}` has no counterpart")
    return edits, notes


def _edited(text: bytes, edits: list[Edit]) -> bytes:
    """Return the text with its edits, the last first, so that those before keep their places."""
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    for line_number, column, new in sorted(edits, reverse=True):
        at = starts[line_number - 1] + column
        match = _WORD.match(text, at)
        if match:
            text = text[:at] + new + text[match.end() :]
    return text


def _is_motias(name: str) -> bool:
    return name.split(".")[0] == "motia"


def _missing(names: Iterable[str]) -> list[str]:
    return [each for each in names if each != "*" and each not in motia_django.__all__]


def _has_no(name: str, line: int) -> str:
    return f"line {line}: there is no `{name}` in motia_django"


def _unknown_attributes(tree: ast.Module) -> list[str]:
    """Return notes of `motia.x` where `import motia` stands and there is no such x here."""
    aliases = {
        each.asname or each.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for each in node.names
        if each.name == "motia"
    }
    return [
        _has_no(node.attr, node.lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in aliases
        and _missing([node.attr])
    ]
