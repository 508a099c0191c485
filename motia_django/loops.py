"""Event loops that begin in the thread of whoever waits: async code that never waits needs no more.

asgiref's `async_to_sync` starts a thread with an event loop for each call, and whatever is
thread-sensitive goes from there to the caller's thread and back: some half a millisecond for a call
and a tenth for each way. A handler that awaits nothing but its context has nothing for which a loop
is needed. So a call begins on a loop in the caller's own thread, and what it does by `aside`, or
asks by Django's async ORM, is done on the spot. Once it waits for anything else, or has taken a
while, that loop goes on in another thread, as asgiref's does, and the caller's does what is
thread-sensitive.
"""

from __future__ import annotations

import asyncio
import os
import threading
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from functools import partial
from selectors import BaseSelector
from socket import socket
from typing import Any, ParamSpec, TypeVar

from asgiref import sync
from asgiref.current_thread_executor import CurrentThreadExecutor
from asgiref.sync import AsyncToSync, SyncToAsync, async_to_sync, sync_to_async

P = ParamSpec("P")
T = TypeVar("T")

_HERE = 0.1
"""Seconds that a loop stays in the caller's thread: then timers and other tasks have their turn."""
_TURNS = 2
"""In how many turns all who wait for theirs have had it: in the first timers do, after others."""
_adopt: Callable[[Context], None] | None = getattr(sync, "_restore_context", None)
_executors: dict[Any, Any] | None = getattr(AsyncToSync, "loop_thread_executors", None)
"""Where asgiref looks up what runs a loop's thread-sensitive code."""


class Loop(asyncio.SelectorEventLoop):
    """An event loop that takes its first turns in the thread of whoever waits for it."""

    _selector: BaseSelector
    _ssock: socket
    _csock: socket

    def __init__(self) -> None:
        self.pid = os.getpid()
        super().__init__()
        self.executor = CurrentThreadExecutor(None)
        self._is_here, self._is_used = True, False
        self._asked, self._until = 0, 0.0
        self._timers: list[asyncio.TimerHandle] = []
        self._tasks: list[tuple[asyncio.Task[Any], Context]] = []
        self._gone: asyncio.Event | None = None

    def __del__(self) -> None:
        if self.is_closed():
            return
        if self.pid == os.getpid():
            self.close()
        else:  # to close all of it would end what it watches in the process that forked this one
            self._ssock.close()
            self._csock.close()

    def begin(self, task: asyncio.Task[Any]) -> None:
        """Take turns until the task is done, or waits for something, or has taken a while."""
        self._until = self.time() + _HERE
        while self._asked and not task.done() and self.time() < self._until:
            self._asked = 0
            self.stop()
            try:
                self.run_forever()
            except BaseException as error:
                self._is_used = True
                asyncio._set_running_loop(None)  # in case that a signal has kept it from that
                if _has_raised(task, error):
                    return
                if any(_has_raised(each, error) for each, _ in self._tasks):
                    task.cancel()
                    self.go_on(task)
                raise  # from a signal's handler: whose turn it was may never have another

    def go_on(self, task: asyncio.Task[Any]) -> None:
        """Go on in another thread until the task is done, end what is left besides, and close."""
        helper = ThreadPoolExecutor(max_workers=1, thread_name_prefix="motia-loop")
        ended = helper.submit(self._go_on, task)
        helper.shutdown(wait=False)
        try:
            self.executor.run_until_future(ended)
        except BaseException:  # from the handler of a signal: nobody waits for the task any longer
            if not task.done():
                called_off = asyncio.run_coroutine_threadsafe(self._call_off(task), self)
                self.executor.run_until_future(called_off)
            SyncToAsync.threadlocal.main_event_loop = None  # what has run here ran below this one
            raise
        ended.result()

    def _go_on(self, task: asyncio.Task[Any]) -> None:
        self._is_here = False
        for _, context in self._tasks:
            context.run(adopt, context.copy())
        self._forget()
        with asyncio.Runner(loop_factory=lambda: self) as runner:
            runner.run(self._done(task))

    async def _done(self, task: asyncio.Task[Any]) -> None:
        if self._gone:
            self._gone.set()
        await asyncio.gather(task, return_exceptions=True)

    async def _call_off(self, task: asyncio.Task[Any]) -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def is_as_new(self) -> bool:
        """Return whether nothing is left of what was asked of it; forget it if so."""
        is_left = (
            self._is_used
            or self._asked
            or self.get_task_factory()
            or self.get_exception_handler()
            or len(self._selector.get_map()) > 1  # it always watches what wakes it
            or self._waiting()
        )
        if not is_left:
            self._forget()
        return not is_left

    def _waiting(self) -> int:
        tasks = [task for task, _ in self._tasks if not task.done()]
        return len(tasks) + len([timer for timer in self._timers if not timer.cancelled()])

    def _forget(self) -> None:
        self._tasks.clear()
        self._timers.clear()

    def is_free(self) -> bool:
        """Return whether what is done on the spot keeps nobody else waiting."""
        return self._is_here and not self._asked and self.time() < self._until

    def is_alone(self) -> bool:
        """Return whether there is no task but the one that runs, and no time that anyone awaits."""
        return self._waiting() == 1

    def beside(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Call a plain function as if no loop ran in this thread."""
        task = asyncio.current_task(self)
        if task is not None:
            _leave_task(self, task)
        asyncio._set_running_loop(None)
        try:
            return function(*args, **kwargs)
        finally:
            asyncio._set_running_loop(self)
            if task is not None:
                _enter_task(self, task)

    def call_soon(self, *args: Any, **kwargs: Any) -> asyncio.Handle:  # type: ignore[override]
        """Note that there is more to do."""
        self._asked += 1
        return super().call_soon(*args, **kwargs)

    def call_at(self, *args: Any, **kwargs: Any) -> asyncio.TimerHandle:  # type: ignore[override]
        """Note the timer."""
        timer = super().call_at(*args, **kwargs)
        if self._is_here:
            self._timers.append(timer)
        return timer

    def call_soon_threadsafe(self, *args: Any, **kwargs: Any) -> asyncio.Handle:  # type: ignore[override]
        """Note that others have this loop."""
        self._is_used = True
        return super().call_soon_threadsafe(*args, **kwargs)

    def set_default_executor(self, *args: Any) -> None:
        """Note that this loop is no longer as others."""
        self._is_used = True
        super().set_default_executor(*args)

    def add_signal_handler(self, *args: Any) -> None:  # type: ignore[override]
        """Refuse it, as loops do outside of the main thread: where this one may go on."""
        raise RuntimeError("signals can be handled by an event loop of the main thread only")

    def _asyncgen_firstiter_hook(self, generator: Any) -> None:
        self._is_used = True
        super()._asyncgen_firstiter_hook(generator)  # type: ignore[misc]

    def create_task(self, work: Any, **kwargs: Any) -> asyncio.Task[Any]:  # type: ignore[override]
        """Note the task, and in which context it runs."""
        if not self._is_here:
            return super().create_task(work, **kwargs)
        if kwargs.get("context") is None:
            kwargs["context"] = copy_context()
        task: asyncio.Task[Any] = super().create_task(work, **kwargs)
        self._tasks.append((task, kwargs["context"]))
        return task

    def run_in_executor(self, executor: Any, function: Any, *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """Do a query of Django's on the spot; nothing else here before this loop has left, soon."""
        query = _query(function) if executor is self.executor and self.is_free() else None
        if query is not None:
            return self._asked_for(query)
        self._until = 0.0
        if self._is_here and executor is self.executor:
            self._gone = self._gone or asyncio.Event()
            return self.create_task(self._once_gone(self._gone, executor, function, *args))
        self._is_used = True
        return super().run_in_executor(executor, function, *args)

    def _asked_for(self, query: Callable[[], Any]) -> asyncio.Future[Any]:
        answer = self.create_future()
        try:
            answer.set_result(self.beside(query))
        except Exception as error:
            answer.set_exception(error)
        return answer

    async def _once_gone(self, gone: asyncio.Event, *call: Any) -> Any:
        await gone.wait()
        return await super().run_in_executor(*call)


class _Idle(threading.local):
    """The loops of a thread that nobody uses now: one, or more where calls were in each other."""

    def __init__(self) -> None:
        self.loops: list[Loop] = []


_idle = _Idle()


def run(function: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call an async function from plain code and return its result, as asgiref's `async_to_sync`.

    Below a loop that waits for this very thread it runs there, and it runs there alone.
    """
    if _adopt is None or _executors is None or _is_below_a_loop():
        return async_to_sync(function)(*args, **kwargs)
    context, loop = copy_context(), _loop()
    _executors[loop] = loop.executor
    try:
        task = loop.create_task(function(*args, **kwargs), context=context)
        loop.begin(task)
        if task.done() and loop.is_as_new():
            _idle.loops.append(loop)
        else:
            loop.go_on(task)
    finally:
        del _executors[loop]
        adopt(context)
    try:
        result: T = task.result()
        return result
    finally:
        del task  # what it raised has this frame, and it has what it raised


def adopt(context: Context) -> None:
    """Make a context's variables the current one's, and asgiref's locals in it this thread's."""
    if _adopt is not None:
        _adopt(context)


async def aside(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a plain function from async code, where asgiref's `sync_to_async` would."""
    loop = asyncio.get_running_loop()
    if not (isinstance(loop, Loop) and loop.is_free()):
        return await sync_to_async(function)(*args, **kwargs)
    result = loop.beside(function, *args, **kwargs)
    if not loop.is_free():
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


def _query(function: Any) -> Callable[[], Any] | None:
    """Return the call in what asgiref has executed, if it is one of Django's ORM.

    It is not made as asgiref makes it: the plain code in it would find this loop, and wait for it.
    """
    *_, enter, call = getattr(function, "args", None) or (None, None)
    module = getattr(getattr(call, "func", None), "__module__", None) or ""
    return partial(enter, call) if callable(enter) and module.startswith("django.db.") else None


def _has_raised(task: asyncio.Task[Any], error: BaseException) -> bool:
    """Return whether a task has ended by an error that ends turns, such as `SystemExit`."""
    return task.done() and not task.cancelled() and task.exception() is error
