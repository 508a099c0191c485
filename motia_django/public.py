"""The public functions, for use inside handlers and anywhere else in a project."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from motia_django import dispatch
from motia_django.live.face import streams
from motia_django.loggers import Logger
from motia_django.loops import aside, at_length
from motia_django.operations import lay_aside as discard
from motia_django.repeats import wake
from motia_django.runner import invoke
from motia_django.standalone import (
    StateManager,
    Stream,
    enqueue,
    state_manager,
    stateManager,
    stream_wrapper,
)
from motia_django.stores.face import state

__all__ = [
    "StateManager",
    "Stream",
    "adiscard",
    "aenqueue",
    "ainvoke",
    "awake",
    "discard",
    "enqueue",
    "invoke",
    "logger",
    "state",
    "stateManager",
    "state_manager",
    "stream_wrapper",
    "streams",
    "wake",
]

logger = Logger()
"""Logs as the Step that is running here, or without a Step's name outside of one."""


async def aenqueue(message: Any = None, data: Any = None, /, **keys: Any) -> list[str]:
    """Send messages as `enqueue` does, from async code."""
    return await aside(dispatch.enqueue, message, data, **keys)


async def ainvoke(name: str, data: Any = None) -> Any:
    """Run a Step here and now as `invoke` does, from async code."""
    return await at_length(invoke, name, data)


async def adiscard(run_id: UUID | str, reason: str = "") -> bool:
    """Lay a dead run aside as `discard` does, from async code."""
    return await aside(discard, run_id, reason)


async def awake(run_id: UUID | str) -> bool:
    """Have a run that is scheduled go on at once as `wake` does, from async code."""
    return await aside(wake, run_id)
