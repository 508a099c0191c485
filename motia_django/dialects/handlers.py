"""Handlers of older dialects, fitted: called with what they were called with, by today's runner."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import update_wrapper
from inspect import isawaitable
from typing import Any

from motia_django import calls
from motia_django.dialects.contexts import OldContext
from motia_django.dialects.requests import Data, OldRequest
from motia_django.dialects.signatures import needs_one
from motia_django.triggers.exchange import Request
from motia_django.twofold import settled

_ANSWER = ("status", "body", "headers")

_TEXT = {"Content-Type": "text/plain; charset=utf-8"}
"""Motia said `text/html`: what a request has brought must not become a page of the project's."""

Function = Callable[..., Any]


def _two(given: Any, context: OldContext) -> tuple[Any, ...]:
    return given, context


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How a dialect calls the handler of one file."""

    flows: tuple[str, ...] = ()
    middleware: tuple[Function, ...] = ()
    """What stands before the handler whatever the trigger, the outermost first."""
    own_middleware: Mapping[int, tuple[Function, ...]] = field(default_factory=dict)
    """What stands there besides, by the index of the trigger."""
    words: Mapping[int, str] = field(default_factory=dict)
    """What the file calls the type of a trigger, by its index."""
    gives_request: bool = False
    """Whether a request is given as it is today, and not as a dict."""
    wraps_state: bool = False
    """Whether state and streams answer as those of 0.x."""
    sends_texts: bool = False
    """Whether a body that is a text is sent as it is, and not as JSON."""
    arguments: Callable[[Any, OldContext], tuple[Any, ...]] = _two
    """Returns, of the input and the context, with what the handler is called."""
    most: int = 2
    """How many arguments that are."""

    def functions(self) -> Iterator[Function]:
        """Yield all middleware."""
        yield from self.middleware
        for some in self.own_middleware.values():
            yield from some


def fitted(handler: Any, habits: Habits) -> Any:
    """Return a handler for today's runner that calls one of an older dialect."""
    try:
        arity = calls.arity(handler, habits.most)
    except (TypeError, ValueError):
        return handler  # whoever reads the file says what is wrong with it

    def plain(input: Any, ctx: Any) -> Any:
        call = _Call(handler, arity, habits, input, ctx)
        value = call.go()
        return _later(call, value) if isawaitable(value) else call.answer(value)

    async def asynchronous(input: Any, ctx: Any) -> Any:
        call = _Call(handler, arity, habits, input, ctx)
        return call.answer(await settled(call.go()))

    is_async = any(calls.is_async(each) for each in (handler, *habits.functions()))
    function = update_wrapper(asynchronous if is_async else plain, handler)
    del function.__wrapped__  # it takes two arguments, unlike that one
    return function


async def _later(call: _Call, value: Any) -> Any:
    return call.answer(await value)


class _Call:
    """One call of a handler, through the middleware before it."""

    def __init__(self, handler: Function, arity: int, habits: Habits, input: Any, ctx: Any) -> None:
        index = ctx.trigger.index
        word = habits.words.get(index, ctx.trigger.type)
        self.is_http = isinstance(input, Request)
        as_dict = self.is_http and not habits.gives_request
        self.given = OldRequest(input) if as_dict else Data.of(input)
        self.context = OldContext(ctx, word, habits.flows, wraps_state=habits.wraps_state)
        self._sends_texts = habits.sends_texts
        self._handler, self._arity, self._arguments = handler, arity, habits.arguments
        self._middleware = (*habits.middleware, *habits.own_middleware.get(index, ()))

    def go(self, depth: int = 0) -> Any:
        """Return what is answered from a middleware on, or what is to be awaited for it."""
        if depth == len(self._middleware):
            return self._handled()

        def next(given: Any = None) -> Any:
            if given is not None:
                self.given = given
            return self.go(depth + 1)

        return self._middleware[depth](self.given, self.context, next)

    def answer(self, value: Any) -> Any:
        """Return what a handler answers, without what older dialects did not look at."""
        if not self.is_http or not isinstance(value, Mapping):
            return value
        known = {key: value[key] for key in _ANSWER if value.get(key) is not None}
        if "status" not in known and value.get("status_code") is not None:
            known["status"] = value["status_code"]
        if self._sends_texts and isinstance(known.get("body"), str):
            known["headers"] = _of_text(known.get("headers", {}))
        return known or value

    def _handled(self) -> Any:
        """Call the handler; one that needs one argument is given the context of a cron's run."""
        if self.context.is_cron() and needs_one(self._handler):
            return self._handler(self.context)
        return self._handler(*self._arguments(self.given, self.context)[: self._arity])


def _of_text(headers: Any) -> Any:
    """Return the headers of an answer whose body is a text, with the type that it has."""
    if not isinstance(headers, Mapping):
        return headers  # whoever reads the answer says what is wrong with it
    is_typed = any(str(name).lower() == "content-type" for name in headers)
    return headers if is_typed else {**headers, **_TEXT}
