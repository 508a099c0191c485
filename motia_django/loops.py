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
from asyncio.tasks import _enter_task, _leave_task
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import Context, copy_context
from functools import partial
from queue import SimpleQueue
from socket import socket
from typing import Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary, WeakSet

from asgiref import sync
from asgiref.sync import AsyncToSync, SyncToAsync, async_to_sync, sync_to_async

P = ParamSpec("P")
T = TypeVar("T")

_LONG = 0.1
"""Seconds after which what is done on the spot lets timers and others have their turn."""
_TURNS = 2
"""In how many turns all who wait for theirs have had it: in the first timers do, after others."""
_adopt: Callable[[Context], None] | None = getattr(sync, "_restore_context", None)
_executors: dict[Any, Any] | None = getattr(AsyncToSync, "loop_thread_executors", None)
"""Where asgiref looks up what runs a loop's thread-sensitive code."""
_policy = getattr(asyncio.events, "_get_event_loop_policy", asyncio.get_event_loop_policy)


class Loop(asyncio.SelectorEventLoop):
    """An event loop in the thread of whoever waits for it, unless plain code is done there."""

    _ssock: socket
    _csock: socket
    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]
    _asyncgens: WeakSet[Any]

    def __init__(self) -> None:
        self.pid = os.getpid()
        super().__init__()
        self.executor = object()
        """What stands for the caller's thread where asgiref asks for an executor."""
        self._is_here, self._is_used, self._is_waiting = True, False, False
        self._until = 0.0
        self._contexts: WeakKeyDictionary[asyncio.Task[Any], Context] = WeakKeyDictionary()
        self._calls: SimpleQueue[tuple[asyncio.Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._other: ThreadPoolExecutor | None = None

    def __del__(self) -> None:
        if self.is_closed():
            return
        if self.pid == os.getpid():
            self.close()
        else:  # to close all of it would end what it watches in the process that forked this one
            self._ssock.close()
            self._csock.close()

    def close(self) -> None:
        """Close it, and end the thread that it has been in besides."""
        if self._other is not None:
            self._other.shutdown(wait=False)
        super().close()

    def finish(self, task: asyncio.Task[Any]) -> None:
        """Run until the task is done; cancel it if the handler of a signal raises."""
        try:
            self._run_until(task)
        except BaseException as error:
            self._is_used = True
            asyncio._set_running_loop(None)  # in case that a signal has kept it from that
            if _has_raised(task, error):
                return
            if self._is_waiting or any(_has_raised(each, error) for each in self._contexts):
                task.cancel()
                self.finish(task)
                self.end()
            else:  # from a signal's handler: whose turn it was may never have another
                self.close()
            raise

    def end(self) -> None:
        """End what is left as `asyncio.run` does, and close."""
        with asyncio.Runner(loop_factory=lambda: self) as runner:
            runner.get_loop()

    def run_until_complete(self, work: Any) -> Any:
        """Run until the work is done and return its result, here and elsewhere."""
        future = asyncio.ensure_future(work, loop=self)
        self._run_until(future)
        return future.result()

    def _run_until(self, future: asyncio.Future[Any]) -> None:
        self.stop()  # after one turn, in which most are done
        self.run_forever()
        if future.done():
            return
        future.add_done_callback(self._leave)
        while not future.done():
            if self._calls.empty():
                self.run_forever()
            else:
                self._lend()

    def _leave(self, future: asyncio.Future[Any]) -> None:
        if self._is_here:
            self.stop()

    def _lend(self) -> None:
        """Do the plain code that is asked for, while another thread has the loop."""
        self._other = self._other or ThreadPoolExecutor(1, thread_name_prefix="motia-loop")
        self._is_here, self._is_waiting = False, True
        elsewhere = self._other.submit(self._go_on)
        try:
            tell = self._told()
            while not self._calls.empty():
                super().call_soon_threadsafe(tell)
                tell = self._told()
        finally:
            super().call_soon_threadsafe(self.stop)
            wait([elsewhere])
            self._is_here = True
            self._move()
        tell()
        elsewhere.result()

    def _go_on(self) -> None:
        self._move()
        self.run_forever()

    def _move(self) -> None:
        """Make asgiref's locals in the contexts of all tasks those of this thread."""
        for task, context in list(self._contexts.items()):
            if not task.done():
                context.run(adopt, context.copy())

    def _told(self) -> Callable[[], None]:
        """Do what is asked of this thread next; return what tells it to whoever has asked."""
        answer, call = self._calls.get()
        return partial(_tell, answer, *_outcome(call))

    def is_as_new(self) -> bool:
        """Return whether nothing is left of what was asked of it."""
        return not (
            self._is_used
            or self._ready
            or self._asyncgens
            or not self._calls.empty()
            or self.get_task_factory()
            or self.get_exception_handler()
            or self._unfinished()
            or self._timers()
        )

    def _unfinished(self) -> int:
        return sum(not task.done() for task in self._contexts)

    def _has_one_task(self) -> bool:
        return len(self._contexts) == 1 or self._unfinished() == 1

    def _timers(self) -> int:
        return sum(not timer.cancelled() for timer in self._scheduled)

    def is_free(self) -> bool:
        """Return whether what is done on the spot keeps nobody else waiting."""
        return self._is_here and not self._ready and self._has_one_task()

    def is_alone(self) -> bool:
        """Return whether there is no task but the one that runs, and no time that anyone awaits."""
        return self._has_one_task() and not self._timers()

    def is_due(self) -> bool:
        """Return whether others are to have their turn."""
        return bool(self._ready) or self.time() >= self._until

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

    def _add_reader(self, *args: Any) -> Any:
        self._is_used = True
        return super()._add_reader(*args)  # type: ignore[misc]

    def _add_writer(self, *args: Any) -> Any:
        self._is_used = True
        return super()._add_writer(*args)  # type: ignore[misc]

    def create_task(self, work: Any, **kwargs: Any) -> asyncio.Task[Any]:  # type: ignore[override]
        """Note the task, and in which context it runs."""
        if kwargs.get("context") is None and not self.get_task_factory():
            kwargs["context"] = copy_context()
        task: asyncio.Task[Any] = super().create_task(work, **kwargs)
        self._contexts[task] = kwargs.get("context") or Context()
        return task

    def run_in_executor(self, executor: Any, function: Any, *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """Do a query of Django's on the spot, and other plain code of the caller's thread soon."""
        if executor is not self.executor:
            self._is_used = True
            return super().run_in_executor(executor, function, *args)
        answer = self.create_future()
        query = _query(function) if self.is_free() else None
        if query is None:
            self._calls.put((answer, partial(function, *args)))
            self._leave(answer)
        else:
            tell = partial(_tell, answer, *_outcome(query, self.beside))
            self.call_soon(tell) if self.is_due() else tell()
        return answer

    def _run_once(self) -> None:
        self._is_waiting = True
        super()._run_once()  # type: ignore[misc]

    def _process_events(self, events: Any) -> None:
        self._is_waiting, self._until = not self._is_here, self.time() + _LONG
        super()._process_events(events)  # type: ignore[misc]
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
    if _executors is None or _is_below_a_loop() or _is_for_another_kind():
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


def _is_for_another_kind() -> bool:
    """Return whether new loops are not asyncio's, or plain code is for another thread than this."""
    return (
        type(_policy()).__module__ != "asyncio.unix_events"
        or _adopt is None
        or SyncToAsync.thread_sensitive_context.get(None) is not None
    )


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


def _outcome(call: Callable[[], Any], how: Callable[..., Any] | None = None) -> tuple[Any, Any]:
    """Return the result of plain code and what it raised; asgiref's word of its loop goes again."""
    here = vars(SyncToAsync.threadlocal)
    before = here.copy()
    try:
        return (how(call) if how else call()), None
    except BaseException as error:
        return None, error
    finally:
        here.clear()
        here.update(before)


def _tell(answer: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    """Give the answer to whoever awaits it still."""
    if answer.done():
        return
    if error is None:
        answer.set_result(result)
    else:
        answer.set_exception(error)
