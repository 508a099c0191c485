"""A Python file of a Motia project: what it imports, and its text with Motia's imports renamed."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate

import motia_django

_FROM_MOTIA = re.compile(rb"from[\s\\]+motia(?:[\s\\]*\.[\s\\]*\w+)*")


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
    compared: tuple[str, ...] = ()
    """Notes for a stream: where it asks whether who follows is None."""
    texts: frozenset[str] = frozenset()
    """What of its texts might be the name of a file, without the folders before it."""


def read(text: bytes) -> Module:
    """Return a file with its imports; what is no Python is left as it is, with a note."""
    text = text.removeprefix(b"\xef\xbb\xbf")
    try:
        tree = _parsed(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f"line {error.lineno}: {error.msg}" if isinstance(error, SyntaxError) else error
        return Module(text=text, renamed=0, imports=(), notes=(f"is no Python: {line}",))
    nodes = [each for each in ast.walk(tree) if isinstance(each, ast.Import | ast.ImportFrom)]
    edits, notes = _edits(text, nodes)
    return Module(
        text=_edited(text, edits),
        renamed=len(edits),
        imports=tuple(found for node in nodes for found in _imported(node)),
        notes=(*notes, *_unknown_attributes(tree)),
        compared=tuple(_compared_with_none(tree)),
        texts=frozenset(_texts(tree)),
    )


def _parsed(text: bytes) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its escapes, which are no concern of an import
        return ast.parse(text)


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[Imported]:
    if isinstance(node, ast.ImportFrom):
        name = node.module or ""
        yield Imported(name=name, names=_names(node), level=node.level, line=node.lineno)
        return
    for each in node.names:
        yield Imported(name=each.name, line=node.lineno)


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """What is to stand in the place of a part of the text, in bytes."""

    start: int
    end: int
    new: bytes


def _edits(text: bytes, nodes: list[ast.Import | ast.ImportFrom]) -> tuple[list[Edit], list[str]]:
    """Return how Motia's imports are renamed, and notes of what there is no name for."""
    lines = [0, *accumulate(map(len, text.splitlines(keepends=True)))]
    edits: list[Edit] = []
    notes: list[str] = []
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            if node.level == 0 and _is_motias(node.module or ""):
                notes += [_has_no(each, node.lineno) for each in _missing(_names(node))]
                edits.append(_renamed(text, lines[node.lineno - 1] + node.col_offset))
            continue
        for each in node.names:
            if each.name == "motia":
                start, end = lines[each.lineno - 1], lines[(each.end_lineno or each.lineno) - 1]
                new = f"motia_django as {each.asname or 'motia'}".encode()
                edits.append(Edit(start + each.col_offset, end + (each.end_col_offset or 0), new))
            elif _is_motias(each.name):
                notes.append(f"line {node.lineno}: `import {each.name}` has no counterpart")
    return edits, notes


def _renamed(text: bytes, start: int) -> Edit:
    """Return how `from motia.x` becomes `from motia_django`, where its `from` stands."""
    match = _FROM_MOTIA.match(text, start)
    return Edit(start, match.end() if match else start, b"from motia_django" if match else b"")


def _edited(text: bytes, edits: list[Edit]) -> bytes:
    """Return the text with its edits, the last first, so that those before keep their places."""
    for edit in sorted(edits, reverse=True):
        text = text[: edit.start] + edit.new + text[edit.end :]
    return text


def _names(node: ast.ImportFrom) -> tuple[str, ...]:
    return tuple(each.name for each in node.names)


def _is_motias(name: str) -> bool:
    return name.split(".")[0] == "motia"


def _missing(names: Iterable[str]) -> list[str]:
    return [each for each in names if each != "*" and each not in motia_django.__all__]


def _has_no(name: str, line: int) -> str:
    return f"line {line}: there is no `{name}` in motia_django"


def _texts(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            name = node.value.rpartition("/")[2]
            if "." in name[1:-1] and name.isprintable():
                yield name


def _compared_with_none(tree: ast.Module) -> Iterator[str]:
    for node in (each for each in ast.walk(tree) if isinstance(each, ast.Compare)):
        sides = [node.left, *node.comparators]
        names = [each.id for each in sides if isinstance(each, ast.Name)]
        auth = next((each for each in names if "auth" in each.lower()), "")
        if auth and any(isinstance(each, ast.Constant) and each.value is None for each in sides):
            yield f"line {node.lineno}: `{auth}` is never None here: nobody counts as false"


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
