"""Motia before 0.1: Steps of no type, `executor(input, emit, ctx)`, and state that is a trace's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from motia_django.dialects import flat
from motia_django.dialects.contexts import OldContext
from motia_django.dialects.declared import Declared, listed
from motia_django.dialects.handlers import Habits
from motia_django.dialects.requests import Named

_FLOWS = ("flows", "workflows", "workflow")
"""What the flows that a Step is part of were called, one after the other."""
_OF_THE_TRACE = {"get": 1, "set": 2, "delete": 1, "clear": 0}
"""With how many arguments the methods of state were called when they named no group."""


def read(config: Mapping[str, Any], handler: Any) -> Declared:
    """Return what a file of Motia before 0.1 declares."""
    flows = [name for key in _FLOWS for name in listed(config.get(key))]
    others = {key: value for key, value in config.items() if key not in _FLOWS}
    return flat.read(
        {"type": "event", **others, "flows": flows}, handler, Habits(arguments=_arguments, most=3)
    )


def _arguments(given: Any, context: OldContext) -> tuple[Any, ...]:
    context.state = TraceState(context.state, context.trace_id)
    return Named.of(given), context.emit, context


class TraceState:
    """State that is the trace's own where no group is named: `ctx.state.get("order")`."""

    def __init__(self, state: Any, trace_id: str) -> None:
        self._state, self._trace_id = state, trace_id

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._state, name)
        few = _OF_THE_TRACE.get(name)

        def called(*place: Any, **named: Any) -> Any:
            group = (self._trace_id,) if len(place) == few and not named else ()
            return function(*group, *place, **named)

        return function if few is None else called
