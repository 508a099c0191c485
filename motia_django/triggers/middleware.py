"""Middleware of http triggers: what sees a request before the handler, and its answer after it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from asgiref.sync import sync_to_async
from django.utils.module_loading import import_string

from motia_django import calls
from motia_django.declarations import Mismatch
from motia_django.exceptions import CalledTwice, InvalidResponse

Middleware = Callable[..., Any]
"""A function of (req, ctx, next), plain or async."""
Handle = Callable[[Any], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A handler behind middleware, for one request."""

    middleware: Sequence[Middleware]
    """The first is the outermost."""
    context: Callable[[bool], Any]
    """Gives the run's context, for async code or for plain."""
    handle: Handle
    """Calls the handler with a request, and gives its checked answer."""
    check: Handle
    """Checks what a middleware answers itself."""

    def answer(self, request: Any, depth: int = 0) -> Any:
        """Return the checked answer; raise what nobody on the way has caught."""
        if depth == len(self.middleware):
            return self.handle(request)
        function = self.middleware[depth]
        name = name_of(function)
        rest = Next(name=name, request=request, go=lambda other: self.answer(other, depth + 1))
        is_async = calls.is_async(function)
        next = sync_to_async(rest) if is_async else rest
        value = calls.call(function, request, self.context(is_async), next)
        if value is None and rest.calls:
            text = "it called next() and returned nothing; return what next() gives"
            raise InvalidResponse(f"The result of middleware {name}", {"": [text]})
        return value if rest.calls and value is rest.answer else self.check(value)


@dataclass(slots=True, kw_only=True)
class Next:
    """What a middleware calls to go on: `next()`, or `next(req)` with another request."""

    name: str
    request: Any
    go: Handle
    calls: int = field(default=0, init=False)
    answer: Any = field(default=None, init=False)

    def __call__(self, request: Any = None) -> Any:
        """Return the answer of what comes after; raise `CalledTwice`."""
        self.calls += 1
        if self.calls > 1:
            raise CalledTwice(f"middleware {self.name}: next was called twice for one request")
        self.answer = self.go(self.request if request is None else request)
        return self.answer


def taken(value: Any) -> tuple[Middleware, ...]:
    """Parse the key `middleware`."""
    if not isinstance(value, list | tuple):
        raise Mismatch("a list of functions of (req, ctx, next), or of their dotted paths")
    return tuple(_function(each) for each in value)


def name_of(function: Middleware) -> str:
    """Return how a middleware is called in its file, for people."""
    return getattr(function, "__qualname__", None) or repr(function)


def _function(value: Any) -> Middleware:
    found = value
    if isinstance(value, str):
        try:
            found = import_string(value)
        except ImportError as error:
            raise Mismatch(
                f"the dotted path of a function of (req, ctx, next) ({error})"
            ) from error
    try:
        inspect.signature(found).bind(None, None, None)
    except (TypeError, ValueError) as error:
        raise Mismatch(f"functions of (req, ctx, next) ({value!r:.100}: {error})") from error
    if calls.is_generator(found):
        raise Mismatch(f"functions that return their answer ({value!r:.100} has a yield in it)")
    function: Middleware = found
    return function
