"""Functions for plain and for async code alike: called there, what they give is to be awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar, copy_context
from functools import wraps
from inspect import isawaitable
from typing import Any, TypeVar, cast

from asgiref.sync import markcoroutinefunction

from motia_django.eventloop import adopt
from motia_django.loops import aside

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
A = TypeVar("A", bound=Callable[..., Coroutine[Any, Any, Any]])

_READING = {"get", "get_item", "get_many", "get_group", "list", "items", "list_groups"}
"""Calls that do nothing but answer."""
Begun = dict["Pending", None]
"""What was begun and has not been awaited to its end, in order."""

_kept: set[asyncio.Future[Any]] = set()
"""What was begun where nobody waits for it: outside of handlers."""
_begun: ContextVar[Begun | None] = ContextVar("motia_begun", default=None)


class Pending(Coroutine[Any, Any, Any]):
    """What a twofold function gives in async code: begun at once, and awaited for its result.

    One that a handler does not await is done all the same before its run ends, and fails the run
    if it fails, or if it was to read something: for nobody. To use its result without `await`
    raises `TypeError`.
    """

    def __init__(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        self._work, self._name = work, name
        self.reads = name.rpartition(".")[2] in _READING
        self.is_awaited = False
        self._waiting: Generator[Any, Any, Any] | None = None
        self._begun = _begun.get()
        if self._begun is None:  # an event loop itself does not keep what it runs
            self.future: asyncio.Future[Any] = asyncio.ensure_future(work)
            _kept.add(self.future)
            self.future.add_done_callback(_kept.discard)
        else:
            self.future = asyncio.get_running_loop().create_future()
            self._begun[self] = None
            self._context = copy_context()
            self._go_on(work.send, None)
            if self.future.done():  # nothing came between: as if it had been called in plain code
                adopt(self._context)

    def __await__(self) -> Generator[Any, Any, Any]:
        is_first, self.is_awaited = not self.is_awaited, True
        return self._rest(self._begun) if is_first and self._begun else self.future.__await__()

    def _rest(self, begun: Begun) -> Generator[Any, Any, Any]:
        """Go on with the work in the task of whoever awaits it: one of its own would cost more.

        It has context variables of its own all the same: what the other has set since it was begun
        stays as it is.
        """
        while not self.future.done():
            try:
                sent = yield self._waits_for
            except BaseException as error:
                self._go_on(self._work.throw, error)
            else:
                self._go_on(self._work.send, sent)
        begun.pop(self, None)
        return self.future.result()

    def _go_on(self, step: Callable[[Any], Any], value: Any) -> None:
        try:
            self._waits_for = self._context.run(step, value)
        except StopIteration as end:
            self.future.set_result(end.value)
        except asyncio.CancelledError:
            self.future.cancel()
        except BaseException as error:
            self.future.set_exception(error)

    def send(self, value: Any, /) -> Any:
        """Go on as a coroutine does, for `asyncio.create_task` and its like."""
        self._waiting = self._waiting or self.__await__()
        return self._waiting.send(value)

    def throw(self, *raised: Any) -> Any:
        """Raise in whoever waits as a coroutine does."""
        if self._waiting is None:  # who would wait is cancelled before: what was begun goes on
            raise raised[0]
        return self._waiting.throw(*raised)

    def close(self) -> None:
        """End the waiting; what was begun goes on."""
        if self._waiting is not None:
            self._waiting.close()

    def _refuse(self, *args: Any) -> Any:
        raise self.not_awaited()

    __getitem__ = __iter__ = __len__ = __bool__ = __contains__ = _refuse
    __eq__ = __lt__ = __le__ = __gt__ = __ge__ = __str__ = __format__ = _refuse
    __hash__ = object.__hash__

    def not_awaited(self) -> TypeError:
        """Return what to say of one that nobody awaits who needs its result."""
        return TypeError(f"in async code the result of {self._name} is to be awaited: write await")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._refuse()


class Done(Awaitable[None]):
    """What is done when it is given back, and may be awaited all the same."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, Any, None]:
        return
        yield


DONE = Done()


def twofold(function: F) -> F:
    """Return a plain function that gives in async code what is to be awaited for its result."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not is_in_loop():
            return function(*args, **kwargs)
        return Pending(aside(function, *args, **kwargs), function.__qualname__)

    return cast("F", call)


def at_once(function: A, name: str = "") -> A:
    """Return an `async def` whose calls are begun at once in async code, and awaited or not.

    `name` is what it is called by whoever uses it.
    """

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        work = function(*args, **kwargs)
        return Pending(work, name or function.__qualname__) if is_in_loop() else work

    return cast("A", markcoroutinefunction(call))


def folded(function: Callable[..., Coroutine[Any, Any, T]]) -> Callable[..., Any]:
    """Return an `async def` as a twofold function: in plain code it has nothing to wait for."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        work = function(*args, **kwargs)
        return Pending(work, function.__qualname__) if is_in_loop() else _driven(work)

    return call


async def settled(value: Any) -> Any:
    """Return a value, awaited if it is awaitable."""
    return await value if isawaitable(value) else value


async def finishing(work: Awaitable[T]) -> T:
    """Await `work`, and then all that it has begun by twofold functions and not awaited.

    Raise what `work` raises, else what failed of that, else `TypeError` for what was read in vain.
    """
    begun: Begun = {}
    try:
        with collecting(begun):
            result = await work
    except BaseException as error:
        _note(error, await _failures(begun))
        raise
    in_vain = [each for each in begun if each.reads and not each.is_awaited]
    await finished(begun)
    if in_vain:
        raise in_vain[0].not_awaited()
    return result


@contextmanager
def collecting(begun: Begun) -> Iterator[None]:
    """Keep what is begun by twofold functions in the block, until it is awaited."""
    token = _begun.set(begun)
    try:
        yield
    finally:
        _begun.reset(token)


async def finished(begun: Begun, *, awaited: bool = True) -> None:
    """Wait until all that was begun is done, and forget it; raise what failed for nobody else.

    Or all but what is `awaited`, by somebody who may go on later only.
    """
    failures = await _failures(begun, awaited=awaited)
    if failures:
        _note(failures[0], failures[1:])
        raise failures[0]


async def _failures(begun: Begun, *, awaited: bool = True) -> list[BaseException]:
    """Wait until all that was begun is done; return what failed of it that nobody has awaited."""
    alone: list[Pending] = []
    while some := [each for each in begun if awaited or not each.is_awaited]:
        alone += [each for each in some if not each.is_awaited]
        await asyncio.wait([asyncio.create_task(_ended(each)) for each in some])
        for each in some:
            begun.pop(each, None)
    ended = [each.future for each in alone if not each.future.cancelled()]
    return [error for error in (each.exception() for each in ended) if error is not None]


async def _ended(pending: Pending) -> None:
    with suppress(Exception):
        await pending


def _note(error: BaseException, others: list[BaseException]) -> None:
    for other in others:
        error.add_note(f"What was begun and not awaited failed, too: {other!r}")


def is_in_loop() -> bool:
    """Return whether an event loop runs here, so that waiting would hold it up."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _driven(work: Coroutine[Any, Any, T]) -> T:
    try:
        work.send(None)
    except StopIteration as end:
        return cast("T", end.value)
    work.close()
    raise RuntimeError(f"{work!r} had to wait in plain code")
