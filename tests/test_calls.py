"""Calling what users write: any arity from none to two, sync or async."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import markcoroutinefunction

from motia_django import calls


async def coroutine(a: Any, b: Any) -> Any:
    await asyncio.sleep(0)
    return (a, b)


@functools.wraps(coroutine)
def wrapping(*args: Any) -> Any:
    return coroutine(*args)


@markcoroutinefunction
def giving_one(a: Any) -> Any:
    return coroutine(a, 2)


class Callables:
    def method(self, a: Any) -> Any:
        return a

    def __call__(self, a: Any, b: Any) -> Any:
        return (a, b)

    @staticmethod
    def static(a: Any, b: Any) -> Any:
        return (a, b)


class AsyncCallable:
    async def __call__(self, a: Any) -> Any:
        return a


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda: 0, 0),
        (lambda a: 0, 1),
        (lambda a, b: 0, 2),
        (lambda a, b=1: 0, 2),
        (lambda a=1: 0, 1),
        (lambda a, b, c=1, d=2: 0, 2),
        (lambda *args: 0, 2),
        (lambda a, *args: 0, 2),
        (lambda **kwargs: 0, 0),
        (lambda a, /, *, x=1: 0, 1),
        (lambda *, x=1: 0, 0),
        (coroutine, 2),
        (wrapping, 2),
        (functools.partial(coroutine, 1), 1),
        (functools.partial(coroutine, b=1), 1),
        (Callables(), 2),
        (Callables().method, 1),
        (Callables.static, 2),
        (AsyncCallable(), 1),
        (len, 1),
    ],
)
def test_a_function_is_called_with_what_it_takes(
    function: Callable[..., Any], expected: int
) -> None:
    assert calls.arity(function, 2) == expected


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (lambda a, b, c: 0, "(a, b, c)"),
        (lambda a, *, ctx: 0, "(a, ctx)"),
        (lambda *, ctx: 0, "(ctx)"),
    ],
)
def test_a_function_that_demands_more_is_refused_by_name(
    function: Callable[..., Any], names: str
) -> None:
    with pytest.raises(TypeError) as refused:
        calls.arity(function, 2)
    assert names in str(refused.value)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (coroutine, True),
        (functools.partial(coroutine, 1), True),
        (AsyncCallable(), True),
        (giving_one, True),
        (wrapping, False),
        (lambda: 0, False),
        (Callables(), False),
        (len, False),
    ],
)
def test_what_gives_a_coroutine_is_known_before_the_call(
    function: Callable[..., Any], expected: bool
) -> None:
    assert calls.is_async(function) is expected


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        (lambda: 0, (), 0),
        (coroutine, (1, 2), (1, 2)),
        (functools.partial(coroutine, 1), (2,), (1, 2)),
        (AsyncCallable(), (1,), 1),
        (lambda a: coroutine(a, 2), (1,), (1, 2)),
        (lambda: None, (), None),
    ],
)
def test_sync_and_async_are_called_alike(
    function: Callable[..., Any], arguments: tuple[Any, ...], expected: Any
) -> None:
    assert calls.call(function, *arguments) == expected


def test_what_is_raised_comes_through() -> None:
    async def fails() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        calls.call(fails)
    with pytest.raises(ZeroDivisionError):
        calls.call(lambda: 1 / 0)


def test_sync_code_inside_a_coroutine_runs_in_the_callers_thread() -> None:
    from asgiref.sync import sync_to_async

    async def where() -> int:
        return await sync_to_async(threading.get_ident)()

    assert calls.call(where) == threading.get_ident()
