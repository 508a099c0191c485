"""Arguments by their names in older dialects: `context.state.get(trace_id="orders", key="17")`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

from motia_django import twofold

_MEANT = {
    "trace_id": ("group",),
    "group_id": ("group",),
    "scope": ("group",),
    "id": ("item", "key"),
    "item_id": ("item", "key"),
    "data": ("value",),
}
"""What the parameters of state's and streams' methods were called, and what they may be called."""


def folded(function: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
    """Return an `async def` as a twofold function that knows its arguments by both names."""
    whole = twofold.folded(function)
    own = [*inspect.signature(function).parameters]
    names = {old: name for old, meant in _MEANT.items() for name in meant if name in own}

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return whole(*args, **{names.get(key, key): value for key, value in kwargs.items()})

    return call
