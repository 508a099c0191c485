"""Mutants: each a module of ours with one change, which some test should notice.

Left out are texts for people (docstrings, log lines, messages of errors, whatever has a space in
it), SQL, types, assertions, which tell mypy what is so, what wraps classes and functions, numbers
that were chosen (seconds, sizes of batches), and the values of enumerations, which everything has
already where a mutant comes into a running process.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from types import CodeType

from benchmarks.mutants.changes import changes_of

_TEXTS = {"_", "pgettext", "_tell"}
"""Functions whose arguments are texts for people."""
_SKIPPED = (ast.Import, ast.ImportFrom, ast.Assert, ast.JoinedStr)
_TYPES = {"annotation", "returns", "decorator_list", "bases"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in a module a change is."""

    function: str = ""
    """The outermost function around it, as `co_qualname` has it; empty outside of functions."""
    name: str = ""
    """The function, the class or the constant that it belongs to."""
    source: str = field(default="", repr=False)
    """The source of that."""
    first: int = 0
    """The first and the last line of its statement, without what that is the head of."""
    last: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A module with one change."""

    file: Path
    place: Place
    kind: str
    before: str
    after: str
    number: int
    """Which of its module's changes it is, in the order in which they are found."""
    key: str
    """The same as long as nothing in its function, class or constant changes."""

    def __str__(self) -> str:
        where = f"{self.file}:{self.place.first} {self.place.name} ({self.kind})"
        return f"{where}\n  - {self.before}\n  + {self.after}"

    def code(self) -> CodeType:
        """Return the code of the module with the change."""
        tree = _tree(self.file)
        found = next(each for number, each in enumerate(_sites(tree)) if number == self.number)
        with _changed(found):
            return compile(tree, str(self.file.resolve()), "exec")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Site:
    """A change of one node, where it stands in a field of its parent."""

    parent: ast.AST
    field: str
    at: int | None
    """Where in the field it stands, if that is a list."""
    statement: ast.AST
    place: Place
    kind: str
    other: ast.AST


def mutants_of(file: Path) -> list[Mutant]:
    """Return all mutants of a module."""
    found: list[Mutant] = []
    alike: Counter[str] = Counter()
    for number, site in enumerate(_sites(_tree(file))):
        before = _shown(site)
        with _changed(site):
            after = _shown(site)
        told = f"{file} {site.place.source} {site.kind} {before} {after}"
        alike[told] += 1
        found.append(
            Mutant(
                file=file,
                place=site.place,
                kind=site.kind,
                before=before,
                after=after,
                number=number,
                key=sha256(f"{told} {alike[told]}".encode()).hexdigest()[:16],
            )
        )
    return found


def lines_of(mutant: Mutant) -> set[int]:
    """Return the lines of which a test has to execute one that is to notice.

    Outside of functions that is where what is changed is used, as far as the module says.
    """
    place = mutant.place
    if place.function:
        return {*range(place.first, place.last + 1)}
    lines: set[int] = set()
    for node in ast.walk(_tree(mutant.file)):
        if isinstance(node, ast.FunctionDef) and node.name == place.name:
            lines |= {*range(node.body[0].lineno, (node.end_lineno or 0) + 1)}
        elif isinstance(node, ast.Name) and (node.id, type(node.ctx)) == (place.name, ast.Load):
            lines.add(node.lineno)
    return lines


@lru_cache(maxsize=64)
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"))


def _sites(tree: ast.Module) -> Iterator[_Site]:
    """Yield all changes of a module."""
    yield from _below(tree, tree, Place(), "")


def _below(parent: ast.AST, around: ast.AST, place: Place, scope: str) -> Iterator[_Site]:
    """Yield what is changed below a node; `scope` is the class around it, with a dot."""
    for name, at, node in _children(parent):
        if name in _TYPES or _is_left_out(node) or _is_member(node, parent):
            continue
        here = _place_of(node, parent, place, scope)
        statement = node if isinstance(node, ast.stmt | ast.ExceptHandler) else around
        for kind, other in changes_of(node) if not _is_no_fault(node, here) else ():
            yield _Site(
                parent=parent,
                field=name,
                at=at,
                statement=statement,
                place=here,
                kind=kind,
                other=other,
            )
        inner = f"{scope}{node.name}." if isinstance(node, ast.ClassDef) else scope
        yield from _below(node, statement, here, inner)


def _children(parent: ast.AST) -> Iterator[tuple[str, int | None, ast.AST]]:
    for name, value in ast.iter_fields(parent):
        if isinstance(value, ast.AST):
            yield name, None, value
        elif isinstance(value, list):
            nodes = ((at, each) for at, each in enumerate(value) if isinstance(each, ast.AST))
            yield from ((name, at, each) for at, each in nodes)


def _is_left_out(node: ast.AST) -> bool:
    match node:
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="logger")))):
            return True
        case ast.Call(func=ast.Name(id=name)):
            return name in _TEXTS
        case ast.Assign(targets=[ast.Name(id="__all__" | "logger")]):
            return True
        case ast.Constant(value=str(text)):
            return " " in text or not text
    return isinstance(node, _SKIPPED)


def _is_no_fault(node: ast.AST, place: Place) -> bool:
    """Return whether this is, outside of functions, a chosen number or a union of types."""
    is_number = isinstance(node, ast.Constant) and isinstance(node.value, int | float)
    is_type = isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr)
    return not place.function and ((is_number and place.name.isupper()) or is_type)


def _is_member(node: ast.AST, parent: ast.AST) -> bool:
    """Return whether this is a value of an enumeration."""
    match parent:
        case ast.ClassDef(bases=[ast.Name(id="StrEnum")]):
            return isinstance(node, ast.Assign)
    return False


def _place_of(node: ast.AST, parent: ast.AST, place: Place, scope: str) -> Place:
    if not isinstance(node, ast.stmt | ast.ExceptHandler):
        return place
    if isinstance(parent, ast.FunctionDef) and not place.function:
        place = replace(place, function=f"{scope}{parent.name}")
    if not place.function and isinstance(parent, ast.Module | ast.ClassDef):
        named = getattr(node, "name", None)
        name = f"{scope}{named}" if named else _target(node) or place.name
        place = replace(place, name=name, source=ast.unparse(node))
    body = getattr(node, "body", None)
    last = max(node.lineno, body[0].lineno - 1) if body else node.end_lineno or 0
    if isinstance(node, ast.ExceptHandler):
        return replace(place, first=node.body[0].lineno, last=node.body[-1].end_lineno or 0)
    return replace(place, first=node.lineno, last=last)


def _target(node: ast.AST) -> str:
    match node:
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
    return ""


def _shown(site: _Site) -> str:
    """Return the statement that the change is in, as it stands now, or its head, on one line."""
    there = _stands(site)
    node = there if isinstance(there, ast.stmt | ast.ExceptHandler) else site.statement
    lines = ast.unparse(node).splitlines()
    is_short = isinstance(node, ast.ExceptHandler) or lines[0].startswith("@")
    return " ".join(lines[:2] if is_short else lines[:1])


def _stands(site: _Site) -> ast.AST:
    there = getattr(site.parent, site.field)
    node: ast.AST = there if site.at is None else there[site.at]
    return node


@contextmanager
def _changed(site: _Site) -> Iterator[None]:
    """Change the tree for a while."""
    before = _stands(site)
    _put(site, ast.fix_missing_locations(ast.copy_location(site.other, before)))
    try:
        yield
    finally:
        _put(site, before)


def _put(site: _Site, node: ast.AST) -> None:
    if site.at is None:
        setattr(site.parent, site.field, node)
    else:
        getattr(site.parent, site.field)[site.at] = node
