"""Functions for plain and for async code alike."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar
from typing import Any

import pytest
from asgiref.local import Local

from motia_django import calls
from motia_django.twofold import DONE, finishing, folded, settled, twofold


@twofold
def add(a: int, b: int) -> int:
    """Add."""
    if b < 0:
        raise ValueError("less")
    return a + b


@folded
async def doubled(value: Any) -> Any:
    return 2 * await settled(value)


def test_in_plain_code_it_is_a_plain_function() -> None:
    assert add(1, 2) == 3
    assert doubled(4) == 8
    assert add.__doc__ == "Add."
    with pytest.raises(ValueError, match="less"):
        add(1, -1)


def test_in_async_code_it_is_awaited_as_a_coroutine_is() -> None:
    async def work() -> Any:
        pending: list[Any] = [add(1, 2), add(3, 4), add(5, 6), add(7, 8)]
        one, two, three, four = pending
        gathered = await asyncio.gather(one, two, asyncio.create_task(three))
        again = await asyncio.wait_for(four, 10)
        return [*gathered, again, await doubled(add(1, 1)), await doubled(5)]

    assert calls.call(work) == [3, 7, 11, 15, 4, 10]


def test_outside_of_a_handler_it_is_done_too_though_nobody_awaits_it() -> None:
    done: list[int] = []

    async def work() -> None:
        twofold(done.append)(1)
        while not done:
            await asyncio.sleep(0)

    asyncio.run(work())
    assert done == [1]


def test_who_would_wait_for_it_can_be_cancelled_and_it_goes_on() -> None:
    done: list[int] = []

    async def work() -> None:
        pending: Any = twofold(done.append)(1)
        task = asyncio.create_task(pending)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    calls.call(work)
    assert done == [1]


def test_a_folded_function_that_has_to_wait_says_so_in_plain_code() -> None:
    async def sleep() -> None:
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="had to wait in plain code"):
        folded(sleep)()


def test_in_a_thread_of_an_async_function_it_is_plain() -> None:
    async def work() -> Any:
        return await asyncio.to_thread(add, 1, 2)

    assert calls.call(work) == 3


def test_it_is_done_in_the_thread_of_the_caller_and_in_order() -> None:
    order: list[Any] = []

    @twofold
    def note(value: int) -> None:
        order.append((value, threading.get_ident()))

    async def work() -> None:
        note(1)
        pending: Any = note(2)
        note(3)
        await pending
        note(4)

    calls.call(work)
    assert order == [(value, threading.get_ident()) for value in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    "use",
    [
        *(bool, list, len, lambda it: it["a"], lambda it: it.a, lambda it: "a" in it),
        *(str, lambda it: f"{it}", lambda it: it == 3, lambda it: it != 3, lambda it: it < 3),
    ],
)
def test_a_result_that_was_not_awaited_cannot_be_used(use: Any) -> None:
    async def work() -> Any:
        return use(add(1, 2))

    with pytest.raises(TypeError, match="in async code the result of add is to be awaited"):
        calls.call(work)


def test_what_failed_and_was_not_awaited_fails_the_caller() -> None:
    async def work() -> Any:
        add(1, -1)

    with pytest.raises(ValueError, match="less"):
        calls.call(work)


def test_what_the_caller_raises_goes_before_what_it_began() -> None:
    async def work() -> Any:
        add(1, -1)
        raise LookupError("first")

    with pytest.raises(LookupError, match="first") as raised:
        calls.call(work)
    assert "ValueError('less')" in raised.value.__notes__[0]


def test_what_was_awaited_and_caught_fails_nobody() -> None:
    async def work() -> Any:
        pending: Any = add(1, -1)
        try:
            return await pending
        except ValueError:
            return "caught"

    assert calls.call(work) == "caught"


def test_what_is_done_may_be_awaited_and_counts_for_nothing() -> None:
    async def work() -> Any:
        await DONE
        await DONE

    assert calls.call(work) is None


def test_calls_of_calls_are_finished_too() -> None:
    done: list[str] = []

    @folded
    async def outer() -> None:
        async def deeper() -> None:
            await asyncio.sleep(0)
            done.append("deeper")

        folded(deeper)()
        await asyncio.sleep(0)
        done.append("outer")

    async def work() -> None:
        outer()

    asyncio.run(finishing(work()))
    assert sorted(done) == ["deeper", "outer"]


def test_what_the_caller_sets_before_he_awaits_it_stays() -> None:
    language: ContextVar[str] = ContextVar("language")

    async def work() -> tuple[str, str]:
        language.set("en")
        pending: Any = twofold(language.get)()
        language.set("de")
        return await pending, language.get()

    assert calls.call(work) == ("en", "de")


def test_what_it_opens_for_its_thread_is_there_for_the_next() -> None:
    """Else each call of a handler would connect to a cache anew."""
    local = Local()

    async def work() -> Any:
        opened: Any = twofold(setattr)
        await opened(local, "client", "connected")
        return await twofold(getattr)(local, "client")

    assert calls.call(work) == "connected"
    assert local.client == "connected"
