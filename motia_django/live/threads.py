"""Where the followers' few blocking calls run: some threads of this process, kept for that.

Who joins needs a database connection for some milliseconds, and opening one costs more than what is
asked with it. So each thread keeps what a call has opened for the calls of the next two seconds.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, ParamSpec, TypeVar

from asgiref.sync import SyncToAsync, sync_to_async
from django.core import mail
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

P = ParamSpec("P")
T = TypeVar("T")

_MOST = 4
"""Connections to each database that all followers of a process need at once, at most."""
_KEPT = 2.0
"""Seconds after which a thread closes its connections, counted from the call that opened them."""


class Threads(Executor):
    """A few threads that do one call after the other, each with database connections of its own."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._lock = Lock()
        self._started = 0

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a function called, and its connections seen to, before its result is told."""
        future: Future[T] = Future()
        self._calls.put((future, partial(_tidied, fn, *args, **kwargs)))
        with self._lock:
            if self._started < _MOST:
                self._started += 1
                Thread(target=self._work, name="motia-streams-call", daemon=True).start()
        return future

    def _work(self) -> None:
        """Wait without a connection; once there is a call, keep what it has opened for others."""
        while True:
            perform(*self._calls.get())
            end = time.monotonic() + _KEPT
            while _holds_any() and (left := end - time.monotonic()) > 0:
                try:
                    perform(*self._calls.get(timeout=left))
                except Empty:
                    break
            close_connections()


_threads = Threads()


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function in one of the threads.

    If the caller is cancelled it is still waited for, so that what it has done is known.
    """
    future = asyncio.wrap_future(_threads.submit(function, *args, **kwargs))
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


async def give_back_what_is_kept() -> None:
    """Give back what Django keeps for a request until it is over: connections and a thread.

    Its middleware has used them, for the last time on the way out. The thread is asgiref's; where
    that keeps it elsewhere, it stays.
    """
    try:
        context = SyncToAsync.thread_sensitive_context.get()
        executor = SyncToAsync.context_to_thread_executor.pop(context)
    except (AttributeError, LookupError):
        await sync_to_async(close_connections)()
    else:
        executor.submit(close_connections)
        executor.shutdown(wait=False)


def is_pooled(connection: BaseDatabaseWrapper) -> bool:
    """Return whether closing this connection only gives it back."""
    return "pool" in connection.settings_dict.get("OPTIONS", {})


def perform(future: Future[T], call: Callable[[], T]) -> None:
    """Call a function unless nobody wants it any more, and tell what it returns, or raises."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)


def _tidied(fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function, then close each connection that cannot be kept.

    One that is kept is looked at before it is used again, as with `CONN_HEALTH_CHECKS`: a database
    that went away meanwhile fails nobody who joins when it is back.
    """
    try:
        return fn(*args, **kwargs)
    finally:
        connection: Any  # its health checks are no part of the public face
        for connection in connections.all(initialized_only=True):
            if _can_be_kept(connection):
                connection.health_check_enabled, connection.health_check_done = True, False
            elif not connection.in_atomic_block:
                connection.close()


def _can_be_kept(connection: BaseDatabaseWrapper) -> bool:
    """Return whether this connection is as good as new, and nobody waits for it to be closed."""
    is_clean = not (connection.in_atomic_block or connection.errors_occurred)
    is_as_opened = connection.autocommit == connection.settings_dict["AUTOCOMMIT"]
    return is_clean and is_as_opened and not is_pooled(connection) and not _is_testing()


def _is_testing() -> bool:
    """Return whether this is a test run, at whose end Django drops databases that none may hold."""
    return hasattr(mail, "outbox")


def _holds_any() -> bool:
    return any(each.connection is not None for each in connections.all(initialized_only=True))


def _begin_anew() -> None:
    """Give a forked process threads of its own."""
    global _threads
    _threads = Threads()


os.register_at_fork(after_in_child=_begin_anew)
