"""Conditions of the first 1.0-alpha: several of a trigger, and of `(input, ctx, trigger)`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from inspect import isawaitable
from typing import Any

from motia_django import calls
from motia_django.dialects.declared import Keys, listed
from motia_django.dialects.requests import TriggerInput
from motia_django.dialects.signatures import needs_three
from motia_django.triggers.base import OLD_NAMES

Condition = Callable[..., Any]

OLD_WORDS = {kind: word for word, kind in OLD_NAMES.items()}
"""What each kind of trigger was called."""


def asked(trigger: Keys, at: int) -> Keys:
    """Return a trigger, the one at that place, with one condition for all that it has."""
    given = [*listed(trigger.get("condition")), *listed(trigger.get("conditions"))]
    if not all(map(callable, given)):
        return trigger
    found = [_of_two(each, at) for each in given]
    rest = {key: each for key, each in trigger.items() if key not in ("condition", "conditions")}
    if not found:
        return rest
    return rest | {"condition": found[0] if len(found) == 1 else _all_of(found)}


def _of_two(condition: Condition, at: int) -> Condition:
    """Return a condition of (input, ctx) that asks one of (input, ctx, trigger)."""
    if not needs_three(condition):
        return condition

    def told(input: Any, ctx: Any) -> Any:
        word = OLD_WORDS.get(ctx.trigger.type, ctx.trigger.type)
        return condition(TriggerInput(input, ctx), ctx, {"type": word, "index": at})

    async def told_in_time(input: Any, ctx: Any) -> Any:
        return await told(input, ctx)

    return _named(told_in_time if calls.is_async(condition) else told, [condition])


def _all_of(conditions: Sequence[Condition]) -> Condition:
    """Return a condition that asks one after the other, until one is not met."""

    def answers(input: Any, ctx: Any) -> Iterator[Any]:
        for each in conditions:
            yield each(*(input, ctx)[: calls.arity(each, 2)])

    def met(input: Any, ctx: Any) -> bool:
        return all(answers(input, ctx))

    async def met_in_time(input: Any, ctx: Any) -> bool:
        for answer in answers(input, ctx):
            if not (await answer if isawaitable(answer) else answer):
                return False
        return True

    return _named(met_in_time if any(map(calls.is_async, conditions)) else met, conditions)


def _named(function: Condition, conditions: Sequence[Condition]) -> Condition:
    """Return a function by the name of what it asks, as the flow's page shows it."""
    function.__name__ = " and ".join(getattr(each, "__name__", repr(each)) for each in conditions)
    return function
