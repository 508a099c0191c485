"""Event loops in the thread of whoever waits: async code that does nothing but wait needs no other.

asgiref's `async_to_sync` starts a thread with an event loop for each call, and whatever is
thread-sensitive goes from there to the caller's thread and back: some half a millisecond for a call
and a tenth for each way. A handler that awaits nothing but its context, or the network, has nothing
for which another thread is needed. So a call's loop runs in the caller's own, and what it does by
`aside`, or asks by Django's async ORM, is done on the spot. Only while the caller's thread does
other plain code, such as that of `sync_to_async`, does the loop go on in a second one: it may be
waited for by that code, and other tasks go on. Then it comes back: a task that does one thing after
another is in one thread from first to last, as greenlets (SQLAlchemy's) and `sqlite3` demand.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import Any, ParamSpec, TypeVar

from asgiref import sync
from asgiref.sync import AsyncToSync, SyncToAsync, async_to_sync, sync_to_async

from motia_django.eventloop import Loop, adopt

P = ParamSpec("P")
T = TypeVar("T")

_TURNS = 2
"""In how many turns all who wait for theirs have had it: in the first timers do, after others."""
_executors: dict[Any, Any] = getattr(AsyncToSync, "loop_thread_executors", {})
"""Where asgiref looks up what runs a loop's thread-sensitive code."""
_is_known = hasattr(AsyncToSync, "loop_thread_executors") and hasattr(sync, "_restore_context")
"""Whether asgiref is still made as this module has it."""
_policy = getattr(asyncio.events, "_get_event_loop_policy", asyncio.get_event_loop_policy)


class _Kept(list[Loop]):
    """Loops that nobody uses now; what they hold is given back when the thread ends."""

    def __del__(self) -> None:
        for loop in self:
            if loop.pid == os.getpid():
                loop.close()


class _Idle(threading.local):
    """The loops that a thread keeps: one, or more where calls were in each other."""

    def __init__(self) -> None:
        self.loops = _Kept()


_idle = _Idle()


def run(function: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call an async function from plain code and return its result, as asgiref's `async_to_sync`.

    It is asgiref's that does it where the loop is another: below one that waits for this very
    thread, and where the project has chosen another kind, such as uvloop's.
    """
    if _is_below_a_loop() or not _is_ours():
        return async_to_sync(function)(*args, **kwargs)
    context, loop = copy_context(), _loop()
    _executors[loop] = loop.executor
    try:
        task = loop.create_task(function(*args, **kwargs), context=context)
        loop.finish(task)
        if loop.is_as_new():
            _idle.loops.append(loop)
        else:
            loop.end()
    finally:
        del _executors[loop]
        adopt(context)
    try:
        result: T = task.result()
        return result
    finally:
        del task  # what it raised has this frame, and it has what it raised


async def aside(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a plain function from async code, where asgiref's `sync_to_async` would."""
    loop = asyncio.get_running_loop()
    if not (isinstance(loop, Loop) and loop.is_free()):
        return await sync_to_async(function)(*args, **kwargs)
    result = loop.beside(function, *args, **kwargs)
    if loop.is_due():
        for _ in range(_TURNS):
            await asyncio.sleep(0)
    return result


async def at_length(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call aside what may itself wait for long, unless tasks or time limits would wait as well."""
    loop = asyncio.get_running_loop()
    if isinstance(loop, Loop) and not loop.is_alone():
        return await sync_to_async(function)(*args, **kwargs)
    return await aside(function, *args, **kwargs)


def _loop() -> Loop:
    while _idle.loops:
        loop = _idle.loops.pop()
        if loop.pid == os.getpid():
            return loop
    return Loop()


def _is_below_a_loop() -> bool:
    """Return whether a loop runs in this thread, or waits for what is called in it."""
    if asyncio._get_running_loop() is not None:
        return True
    above = getattr(SyncToAsync.threadlocal, "main_event_loop", None)
    pid = getattr(SyncToAsync.threadlocal, "main_event_loop_pid", None)
    if above is None or pid != os.getpid():
        return False
    return above.is_running() or (isinstance(above, Loop) and not above.is_closed())


def _is_ours() -> bool:
    """Return whether a new loop would be asyncio's own, and this thread that of its plain code."""
    return (
        _is_known
        and type(_policy()).__module__ == "asyncio.unix_events"
        and SyncToAsync.thread_sensitive_context.get(None) is None
    )
