"""What is changed in a syntax tree, one thing at a time: each change a fault that people make."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from typing import TypeVar

Change = tuple[str, ast.AST]
"""What kind of change it is, and what stands in the place of the node then."""

_Node = TypeVar("_Node", bound=ast.AST)
_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_CALCULATED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_CALLED = {"min": "max", "max": "min", "any": "all", "all": "any"}
_LOOKED_UP = {"lt": "lte", "lte": "lt", "gt": "gte", "gte": "gt"}
_LINKS = {"filter", "exclude", "order_by"}
"""Methods of a query that return it narrowed, or sorted: it goes on without them.

Locks, and which of several databases is meant, are left alone: SQLite has no locks, and the tests
that are asked have one database.
"""
_REMOVED = (ast.AugAssign, ast.Raise, ast.Delete, ast.Continue, ast.Break)


def changes_of(node: ast.AST) -> Iterator[Change]:
    """Yield all that is done to this node, and not to those below it."""
    for kind, change in _CHANGES.items():
        if isinstance(node, kind):
            yield from change(node)
    if isinstance(node, ast.stmt):
        yield from _removed(node)


def _like(node: _Node, **changed: object) -> _Node:
    other = copy.copy(node)
    for name, value in changed.items():
        setattr(other, name, value)
    return other


def _compared(node: ast.Compare) -> Iterator[Change]:
    for at, operator in enumerate(node.ops):
        others = [*node.ops]
        others[at] = _COMPARED[type(operator)]()
        yield "comparison", _like(node, ops=others)


def _joined(node: ast.BoolOp) -> Iterator[Change]:
    yield "and/or", _like(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())


def _signed(node: ast.UnaryOp) -> Iterator[Change]:
    if isinstance(node.op, ast.Not | ast.USub):
        yield "negation", node.operand


def _calculated(node: ast.BinOp) -> Iterator[Change]:
    if type(node.op) in _CALCULATED:
        yield "arithmetic", _like(node, op=_CALCULATED[type(node.op)]())


def _decided(node: ast.If | ast.While | ast.IfExp) -> Iterator[Change]:
    """Turn a decision round, unless another change of its condition does."""
    if not isinstance(node.test, ast.Compare | ast.BoolOp | ast.UnaryOp):
        yield "condition", _like(node, test=_not(node.test))


def _narrowed(node: ast.comprehension) -> Iterator[Change]:
    for at, test in enumerate(node.ifs):
        others = [*node.ifs[:at], *node.ifs[at + 1 :]]
        yield "condition", _like(node, ifs=others)
        if not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp):
            yield "condition", _like(node, ifs=[*others, _not(test)])


def _not(test: ast.expr) -> ast.expr:
    return ast.copy_location(ast.UnaryOp(ast.Not(), test), test)


def _constant(node: ast.Constant) -> Iterator[Change]:
    value: object = node.value
    if isinstance(value, bool):
        yield "constant", _like(node, value=not value)
    elif isinstance(value, int | float):
        yield "constant", _like(node, value=value + 1)
    elif isinstance(value, str):
        other = value.removeprefix("-") if value[:1] == "-" and value[1:] else f"{value}_"
        yield "string", _like(node, value=other)


def _called(node: ast.Call) -> Iterator[Change]:
    for at, keyword in enumerate(node.keywords):
        if keyword.arg != "using":
            others = [*node.keywords[:at], *node.keywords[at + 1 :]]
            yield "argument", _like(node, keywords=others)
    function = node.func
    if isinstance(function, ast.Name) and function.id in _CALLED:
        yield "function", _like(node, func=_like(function, id=_CALLED[function.id]))
    if isinstance(function, ast.Attribute) and function.attr in _LINKS:
        yield "query", function.value
        for at in range(len(node.args) if len(node.args) > 1 or node.keywords else 0):
            yield "argument", _like(node, args=[*node.args[:at], *node.args[at + 1 :]])


def _looked_up(node: ast.keyword) -> Iterator[Change]:
    name, _, lookup = (node.arg or "").rpartition("__")
    if name and lookup in _LOOKED_UP:
        yield "comparison", _like(node, arg=f"{name}__{_LOOKED_UP[lookup]}")


def _entered(node: ast.Dict) -> Iterator[Change]:
    for at, key in enumerate(node.keys):
        if key is not None:
            keys, values = [*node.keys], [*node.values]
            del keys[at], values[at]
            yield "entry", _like(node, keys=keys, values=values)


def _cut(node: ast.Slice) -> Iterator[Change]:
    for bound in ("lower", "upper"):
        if getattr(node, bound) is not None:
            yield "slice", _like(node, **{bound: None})


def _returned(node: ast.Return) -> Iterator[Change]:
    if node.value is not None and not isinstance(node.value, ast.Constant):
        nothing = ast.copy_location(ast.Constant(None), node.value)
        yield "return", _like(node, value=nothing)


def _surrounded(node: ast.With) -> Iterator[Change]:
    """Do what a `with` surrounds without it: without its transaction, above all."""
    if all(item.optional_vars is None for item in node.items):
        always = ast.If(test=ast.Constant(True), body=node.body, orelse=[])
        yield "with", ast.copy_location(always, node)


def _handled(node: ast.ExceptHandler) -> Iterator[Change]:
    if not isinstance(node.body[0], ast.Raise):
        yield "handler", _like(node, body=[ast.copy_location(ast.Raise(), node.body[0])])


def _removed(node: ast.stmt) -> Iterator[Change]:
    is_call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    is_written = isinstance(node, ast.Assign) and not isinstance(
        node.targets[0], ast.Name | ast.Tuple | ast.List
    )
    if is_call or is_written or isinstance(node, _REMOVED):
        yield "statement", ast.copy_location(ast.Pass(), node)


_CHANGES: dict[type[ast.AST], Callable[..., Iterator[Change]]] = {
    ast.Compare: _compared,
    ast.BoolOp: _joined,
    ast.UnaryOp: _signed,
    ast.BinOp: _calculated,
    ast.If: _decided,
    ast.While: _decided,
    ast.IfExp: _decided,
    ast.comprehension: _narrowed,
    ast.Constant: _constant,
    ast.Call: _called,
    ast.keyword: _looked_up,
    ast.Dict: _entered,
    ast.Slice: _cut,
    ast.Return: _returned,
    ast.With: _surrounded,
    ast.ExceptHandler: _handled,
}
