"""Calling what users write: sync or async, with as many arguments as it cares to take."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from types import CodeType, FunctionType
from typing import Any

from asgiref.sync import iscoroutinefunction

from motia_django import loops
from motia_django.exceptions import Abandoned, CalledOff, TimedOut
from motia_django.twofold import finishing, settled

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_ASYNC = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
_YIELDING = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR


def arity(function: Callable[..., Any], most: int) -> int:
    """Return with how many positional arguments, up to `most`, `function` is to be called.

    Raise `TypeError` if it demands more than `most`, or a keyword.
    """
    code = _code(function)
    if code and code.co_argcount <= most and not code.co_kwonlyargcount:
        return most if code.co_flags & inspect.CO_VARARGS else code.co_argcount
    parameters = inspect.signature(function).parameters.values()
    positional = [each for each in parameters if each.kind in _POSITIONAL]
    required = [each for each in positional if each.default is each.empty]
    keywords = [
        each.name
        for each in parameters
        if each.kind is each.KEYWORD_ONLY and each.default is each.empty
    ]
    if len(required) > most or keywords:
        names = ", ".join([each.name for each in required] + keywords)
        raise TypeError(
            f"expected a function of at most {most} arguments, got one that takes ({names})"
        )
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return most
    return min(len(positional), most)


def is_async(function: Callable[..., Any]) -> bool:
    """Return whether there is `await` in `function`: it gives a coroutine or an async generator."""
    code = _code(function)
    if code:
        return bool(code.co_flags & _ASYNC)
    called = getattr(function, "__call__", None)  # noqa: B004
    return any(
        iscoroutinefunction(each) or inspect.isasyncgenfunction(each) for each in (function, called)
    )


def is_generator(function: Callable[..., Any]) -> bool:
    """Return whether there is `yield` in `function`: calling it does nothing yet."""
    code = _code(function)
    if code:
        return bool(code.co_flags & _YIELDING)
    called = getattr(function, "__call__", None)  # noqa: B004
    return any(
        inspect.isgeneratorfunction(each) or inspect.isasyncgenfunction(each)
        for each in (function, called)
    )


def _code(function: Callable[..., Any]) -> CodeType | None:
    """Return the code of a plain function, which says all that `inspect` finds out of others.

    One with attributes may be decorated, or marked as something that its code is not.
    """
    plain = type(function) is FunctionType and not function.__dict__
    return function.__code__ if plain else None


def call(
    function: Callable[..., Any],
    *args: Any,
    limit: float | None = None,
    known_async: bool | None = None,
) -> Any:
    """Call `function` from sync code and return its result, awaited if it is awaitable.

    To find out whether it `is_async` takes longer than to call it, so who knows says so.

    A coroutine is run by `loops.run`, so that Django's async ORM inside it works in this very
    thread and sees this thread's open transaction. Raise `Abandoned` for a
    cancellation or `sys.exit()`, which would end more than this call: `CalledOff` if the task was
    cancelled from outside. Raise `TimedOut` for a coroutine that takes more than `limit` seconds; a
    plain function is not interrupted.
    """
    try:
        if is_async(function) if known_async is None else known_async:
            return loops.run(_within, limit, function, args)
        result = function(*args)
        if result is None or type(result) is dict or not inspect.isawaitable(result):
            return result
        return loops.run(_awaited, result)
    except (asyncio.CancelledError, SystemExit) as error:
        raise Abandoned.by(error) from error


async def _within(limit: float | None, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    try:
        async with asyncio.timeout(limit) as timeout:
            return await finishing(settled(function(*args)))
    except TimeoutError as error:
        if not timeout.expired():
            raise
        raise TimedOut(f"it took longer than its limit of {limit:g} s") from error
    except asyncio.CancelledError as error:
        raise _cancelled(error) from error


async def _awaited(result: Awaitable[Any]) -> Any:
    try:
        return await finishing(result)
    except asyncio.CancelledError as error:
        raise _cancelled(error) from error


def _cancelled(error: asyncio.CancelledError) -> Abandoned:
    """Return what to say of a cancellation: whether somebody else has asked for it."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        return CalledOff("whoever waited for it has gone")
    return Abandoned.by(error)
