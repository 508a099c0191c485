"""What a handler says of itself: how its input is annotated, and which names are in its code."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from types import CodeType
from typing import Any, get_args, get_origin

from motia_django import calls
from motia_django.triggers.exchange import Request

Function = Callable[..., Any]

_WORDS = ("Req", "Http", "TriggerInput")
"""What is in each name of `Request`, and of `TriggerInput`."""


def takes(kind: type, handler: Function) -> bool:
    """Return whether a handler says that it is given a `Request`, say, under any of its names."""
    given = _first_annotation(handler)
    return (get_origin(given) or given) is kind


def takes_dict(handler: Function) -> bool:
    """Return whether a handler says that the body of its request is a dict, or anything."""
    given = _first_annotation(handler)
    if get_origin(given) is not Request:
        return False
    [body] = get_args(given)
    return body is Any or (get_origin(body) or body) in (dict, Mapping)


def takes_context_alone(handler: Any) -> bool:
    """Return whether a handler has one parameter, and calls it a context."""
    names = _parameters(handler)
    return len(names) == 1 and names[0] in ("ctx", "context")


def takes_emit(handler: Any) -> bool:
    """Return whether a handler has a second parameter, and calls it `emit`."""
    return _parameters(handler)[1:2] == ["emit"]


def needs_one(handler: Function) -> bool:
    """Return whether a handler can be called with one argument, whatever else it could take."""
    try:
        return calls.arity(handler, 1) == 1
    except TypeError:
        return False


def needs_three(function: Any) -> bool:
    """Return whether a function is to be called with three arguments, and not with fewer."""
    try:
        calls.arity(function, 3)
    except (TypeError, ValueError):
        return False
    try:
        calls.arity(function, 2)
    except TypeError:
        return True
    return False


def names_in(handler: Function) -> set[str]:
    """Return the names of attributes and globals in a function's code, and in functions in it."""
    code = getattr(inspect.unwrap(handler), "__code__", None)
    return {name for each in _codes(code) for name in each.co_names} if code else set()


def _parameters(handler: Any) -> list[str]:
    code = getattr(handler, "__code__", None)
    return [name.lstrip("_") for name in code.co_varnames[: code.co_argcount]] if code else []


def _first_annotation(handler: Function) -> Any:
    written = getattr(handler, "__annotations__", {})
    name = next((name for name in written if name != "return"), None)
    if name is None or not isinstance(written[name], str):
        return written.get(name)
    if not any(word in written[name] for word in _WORDS):
        return None  # to evaluate them all takes longer than to read a Step
    try:
        return inspect.get_annotations(inspect.unwrap(handler), eval_str=True)[name]
    except Exception:
        return None  # an annotation that cannot be read says nothing


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _codes(each)
