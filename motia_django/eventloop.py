"""An event loop in the thread of whoever waits: it goes elsewhere only while that does plain code.

What is done here are its turns; which loop a call has, and what it does with it, is in `loops`.
"""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.tasks import _enter_task, _leave_task
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import Context, copy_context
from functools import partial
from queue import Empty, SimpleQueue
from socket import socket
from threading import Lock
from traceback import walk_tb
from typing import Any, TypeVar
from weakref import WeakKeyDictionary, WeakSet

from asgiref import sync
from asgiref.sync import SyncToAsync

T = TypeVar("T")

_LONG = 0.1
"""Seconds after which what is done on the spot lets timers and others have their turn."""
_SIGNALS = signal.valid_signals()
_adopt: Callable[[Context], None] | None = getattr(sync, "_restore_context", None)


class _Turn:
    """What two threads know of a loop's time in the other; no signal leaves a lock of it held."""

    def __init__(self) -> None:
        self.may_begin = Lock()
        self.ended: SimpleQueue[None] = SimpleQueue()
        self.errors: list[BaseException | None] = []
        """What has ended it; nothing while it goes on."""


class Loop(asyncio.SelectorEventLoop):
    """An event loop in the thread of whoever waits for it, unless plain code is done there."""

    _closed = True  # until it is made
    _ssock: socket
    _csock: socket
    _thread_id: int | None
    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]
    _asyncgens: WeakSet[Any]

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._other: ThreadPoolExecutor | None = None
        super().__init__()
        self.executor = object()
        """What stands for the caller's thread where asgiref asks for an executor."""
        self._is_here, self._is_used, self._is_waiting = True, False, False
        self._until = 0.0
        self._contexts: WeakKeyDictionary[asyncio.Task[Any], Context] = WeakKeyDictionary()
        self._calls: SimpleQueue[tuple[asyncio.Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._raised: BaseException | None = None

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
            self._thread_id = None  # in case that a signal has kept it from seeming to stand
            asyncio._set_running_loop(None)
            if _has_raised(task, error):
                return
            if self._is_waiting or any(_has_raised(each, error) for each in self._contexts):
                task.cancel()
                self.finish(task)
                self.end()
            else:  # whose turn it was may never have another
                self._give_up()
            raise
        finally:
            del task  # what it raised may have this frame, and it has what it raised

    def _give_up(self) -> None:
        """End all tasks where they are, and close: left to the collector, they end anywhere."""
        for task, context in list(self._contexts.items()):
            if not task.done():
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                with suppress(BaseException):
                    context.run(task.get_coro().close)
        self.close()

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
        try:
            self.stop()  # after one turn, in which most are done
            self.run_forever()
            if not future.done():
                future.add_done_callback(self._leave)
            while not future.done():
                self._go_on_here()
        finally:
            del future

    def _go_on_here(self) -> None:
        if self._raised is not None:
            raise self._raised
        self.run_forever() if self._calls.empty() else self._lend()

    def _leave(self, future: asyncio.Future[Any]) -> None:
        if self._is_here:
            self.stop()

    def _lend(self) -> None:
        """Do the plain code that is asked for, while another thread has the loop."""
        self._other = self._other or ThreadPoolExecutor(1, thread_name_prefix="motia-loop")
        turn = _Turn()
        try:
            self._is_here = False
            self._other.submit(self._go_on, turn)
            tell = self._told()
            while not self._calls.empty():
                super().call_soon_threadsafe(tell)
                tell = self._told()
            self._take_back(turn)
        except BaseException:  # from a signal's handler
            self._take_back(turn)
            raise
        tell()
        if turn.errors[0] is not None:
            raise turn.errors[0]

    def _go_on(self, turn: _Turn) -> None:
        if not turn.may_begin.acquire(blocking=False):
            return
        try:
            self._move()
            self.run_forever()
        except BaseException as error:
            turn.errors.append(error)
        turn.errors.append(None)
        turn.ended.put(None)

    def _take_back(self, turn: _Turn) -> None:
        if turn.may_begin.acquire(blocking=False):
            turn.errors.append(None)
        while not turn.errors:
            super().call_soon_threadsafe(self.stop)
            with suppress(Empty):
                turn.ended.get(timeout=1)
        self._is_here = True
        self._move()

    def _move(self) -> None:
        """Make asgiref's locals in the contexts of all tasks those of this thread."""
        for task, context in list(self._contexts.items()):
            if not task.done():
                context.run(adopt, context.copy())

    def _told(self) -> Callable[[], None]:
        """Do what is asked of this thread next; return what tells it to whoever has asked."""
        answer, call = self._calls.get()
        outcome = (None, None) if answer.cancelled() else _outcome(call)
        return partial(_tell, answer, *outcome)

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

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Stop for what the handler of a signal has raised in the midst of asyncio."""
        error = context.get("exception")
        if self._is_here and _is_of_a_signal(error):
            self._raised = error
            self.stop()
        else:
            super().call_exception_handler(context)

    def _run_once(self) -> None:
        self._is_waiting = True
        super()._run_once()  # type: ignore[misc]

    def _process_events(self, events: Any) -> None:
        self._is_waiting, self._until = False, self.time() + _LONG
        super()._process_events(events)  # type: ignore[misc]


def adopt(context: Context) -> None:
    """Make a context's variables the current one's, and asgiref's locals in it this thread's."""
    if _adopt is not None:
        _adopt(context)


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


def _is_of_a_signal(error: BaseException | None) -> bool:
    """Return whether it was raised by the handler of a signal, or while that was handled."""
    if error is None:
        return False
    handlers = [getattr(signal.getsignal(each), "__code__", None) for each in _SIGNALS]
    if any(frame.f_code in handlers for frame, _ in walk_tb(error.__traceback__)):
        return True
    return _is_of_a_signal(error.__context__)


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
