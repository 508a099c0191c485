"""Threads that answer requests under ASGI: each is lent to one, and kept for the next.

Django's own handler has a new thread for each request, whose database connections are new, too. One
that is kept has those of the request before, as under WSGI: `CONN_MAX_AGE` says for how long.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterator, MutableMapping
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from functools import partial
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, ParamSpec, TypeVar

from asgiref.sync import SyncToAsync
from django.db import connections

from motia_django.live.threads import perform

P = ParamSpec("P")
T = TypeVar("T")

Call = tuple[Future[Any], Callable[[], Any]]

_KEPT = 60.0
"""Seconds after which a thread ends that nobody asks for anything."""
_END: Any = object()


@contextmanager
def lent_thread() -> Iterator[None]:
    """Have all that is thread-sensitive in the block, one request, done in one of our threads.

    That is within asgiref's `ThreadSensitiveContext`, which would start a thread for it, and one
    more to wait for its end. Where asgiref keeps threads elsewhere, it does so.
    """
    try:
        context, executors = _asgirefs()
    except (AttributeError, LookupError):
        yield
        return
    own = Lent()
    executors.setdefault(context, own)
    try:
        yield
    finally:
        if executors.get(context) is own:
            del executors[context]
        own.shutdown()


class Lent(Executor):
    """One of the threads, from the first call to `shutdown`. It does one call after the other."""

    def __init__(self) -> None:
        self._thread: _Kept | None = None

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a function called."""
        if self._thread is None:
            self._thread = _threads.take()
        self._last: Future[T] = Future()
        self._thread.calls.put((self._last, partial(fn, *args, **kwargs)))
        return self._last

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Give the thread back, once it has done what it was asked for; nobody waits for that."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._last.add_done_callback(partial(_give_back, thread))


class _Kept(Thread):
    """A thread, and what it is still to do."""

    def __init__(self, threads: _Threads) -> None:
        super().__init__(name="motia-request", daemon=True)
        self.calls: SimpleQueue[Call] = SimpleQueue()
        self.threads = threads

    def run(self) -> None:
        """Do what it is asked for, for one request after the other."""
        while self._goes_on():
            pass
        connections.close_all()

    def _goes_on(self) -> bool:
        """Do one call, of which nothing is held afterwards; return False if it was the last."""
        try:
            call = self.calls.get(timeout=_KEPT)
        except Empty:
            return not self.threads.let_go(self)
        if call is _END:
            return False
        perform(*call)
        return True


class _Threads:
    """The threads of this process. The one that came back last is lent first: so few are many."""

    def __init__(self) -> None:
        self._all: set[_Kept] = set()
        self._idle: list[_Kept] = []
        self._lock = Lock()

    def take(self) -> _Kept:
        """Return a thread that has nothing to do; start one if there is none."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
            thread = _Kept(self)
            thread.start()
            self._all.add(thread)
            return thread

    def take_back(self, thread: _Kept) -> None:
        """Have a thread ready for another request."""
        with self._lock:
            self._idle.append(thread)

    def let_go(self, thread: _Kept) -> bool:
        """Have a thread end that nobody has; return whether it does."""
        with self._lock:
            is_idle = thread in self._idle
            if is_idle:
                self._idle.remove(thread)
                self._all.discard(thread)
            return is_idle

    def end(self) -> None:
        """Have all threads end with what they do now, and wait for that."""
        with self._lock:
            threads = tuple(self._all)
        for thread in threads:
            thread.calls.put(_END)
        for thread in threads:
            thread.join()


_threads = _Threads()


def _asgirefs() -> tuple[Any, MutableMapping[Any, Executor]]:
    """Return what asgiref takes for this request, and where it has the thread of each."""
    executors: Any = SyncToAsync.context_to_thread_executor
    return SyncToAsync.thread_sensitive_context.get(), executors


def _give_back(thread: _Kept, last: Future[Any]) -> None:
    """Give a thread back that has done the last call, and if that was cancelled, those before."""
    if last.cancelled():
        last = Future()
        thread.calls.put((last, _nothing))
        last.add_done_callback(partial(_give_back, thread))
    else:
        thread.threads.take_back(thread)


def _nothing() -> None:
    """Do nothing, but in turn."""


def _begin_anew() -> None:
    """Give a forked process threads of its own."""
    global _threads
    _threads = _Threads()


def _end() -> None:
    """Wait, as this process ends, for what is still being done."""
    _threads.end()


os.register_at_fork(after_in_child=_begin_anew)
atexit.register(_end)
