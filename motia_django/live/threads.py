"""Where the followers' few blocking calls run: some threads of this process, kept for that."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from django.db import connections

P = ParamSpec("P")
T = TypeVar("T")

_MOST = 4
"""Connections to each database that all followers of a process need at once, at most."""


def _new() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_MOST, thread_name_prefix="motia-streams")


_executor = _new()


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function in one of the threads, and give back its database connections after it.

    If the caller is cancelled it is still waited for, so that what it has done is known.
    """
    loop = asyncio.get_running_loop()
    future = loop.run_in_executor(_executor, lambda: _closing(function, *args, **kwargs))
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        raise


def close_connections() -> None:
    """Close this thread's database connections, but for those of a transaction (in a test)."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()


def _closing(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    try:
        return function(*args, **kwargs)
    finally:
        close_connections()


def _begin_anew() -> None:
    global _executor
    _executor = _new()


os.register_at_fork(after_in_child=_begin_anew)
