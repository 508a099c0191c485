"""Loops that begin in the caller's thread: whatever is done on them goes as it does by asgiref."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import warnings
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

import pytest
from asgiref.local import Local
from asgiref.sync import async_to_sync, sync_to_async
from django.db import connection
from django.utils import translation

from motia_django import calls, loops, twofold
from motia_django.exceptions import TimedOut
from motia_django.loops import aside

pytestmark = pytest.mark.one_database

Run = Callable[..., Any]
local = Local()
said: ContextVar[str] = ContextVar("said", default="nothing")


@pytest.fixture(autouse=True)
def _alone() -> None:
    """Begin with no loop of another test's, and with none that asgiref remembers."""
    loops._idle.loops.clear()


@pytest.fixture(params=["asgiref", "ours"])
def run(request: pytest.FixtureRequest) -> Run:
    """Call an async function from plain code, by asgiref's way and by ours."""
    if request.param == "ours":
        return loops.run
    return lambda function, *args: async_to_sync(function)(*args)


async def here() -> int:
    return threading.get_ident()


def thread() -> int:
    return threading.get_ident()


twofold_thread: Any = twofold.twofold(thread)


async def wait() -> None:
    await asyncio.sleep(0.001)


def is_kept() -> bool:
    """Return whether the loop of the last call is there for the next."""
    return bool(loops._idle.loops)


class TestOneThread:
    """What never waits needs no thread."""

    def test_it_is_the_callers(self) -> None:
        assert loops.run(here) == thread()
        assert is_kept()

    def test_a_loop_is_used_again_by_the_next_call(self) -> None:
        async def which() -> asyncio.AbstractEventLoop:
            return asyncio.get_running_loop()

        assert loops.run(which) is loops.run(which)

    def test_what_is_done_aside_runs_on_the_spot_and_outside_of_the_loop(self) -> None:
        def plain() -> tuple[int, bool]:
            return thread(), twofold.is_in_loop()

        async def work() -> Any:
            answers = [await aside(plain) for _ in range(3)]
            assert asyncio.current_task() is not None
            assert await here() == thread()
            return answers

        assert loops.run(work) == [(thread(), False)] * 3
        assert is_kept()

    def test_calls_within_each_other_have_loops_of_their_own(self) -> None:
        async def inner() -> int:
            await aside(thread)
            return await here()

        async def outer(depth: int) -> int:
            if depth:
                return await aside(loops.run, outer, depth - 1)
            return await aside(loops.run, inner)

        assert loops.run(outer, 3) == thread()
        assert len(loops._idle.loops) == 5

    def test_gathered_calls_end_here_if_none_waits(self) -> None:
        async def work() -> Any:
            return await asyncio.gather(twofold_thread(), twofold_thread(), here())

        assert calls.call(work) == [thread()] * 3
        assert is_kept()

    def test_a_timeout_that_was_not_needed_leaves_nothing(self) -> None:
        async def work() -> None:
            async with asyncio.timeout(60):
                await aside(thread)

        for _ in range(300):
            loops.run(work)
        assert len(loops._idle.loops) == 1

    def test_a_process_that_was_forked_has_loops_of_its_own(self) -> None:
        loops.run(here)
        [parents] = loops._idle.loops
        parents.pid = os.getppid()  # as a child sees it
        loops.run(here)
        assert loops._idle.loops != [parents]
        assert loops._inherited.pop() is parents
        assert not parents.is_closed()


class TestAsByAsgiref:
    """Whatever a handler does comes out the same."""

    def test_what_is_returned_and_raised(self, run: Run) -> None:
        async def fails(error: BaseException) -> None:
            await wait()
            raise error

        async def fails_soon(error: BaseException) -> None:
            raise error

        for function in (fails, fails_soon):
            with pytest.raises(KeyError, match="x"):
                run(function, KeyError("x"))
            with pytest.raises(asyncio.CancelledError):
                run(function, asyncio.CancelledError())

    def test_thread_sensitive_code_runs_in_the_callers_thread(self, run: Run) -> None:
        async def work() -> list[int]:
            first = await sync_to_async(thread)()
            await wait()
            second, third = await asyncio.gather(sync_to_async(thread)(), sync_to_async(thread)())
            return [first, second, third, await aside(thread)]

        assert run(work) == [thread()] * 4

    def test_other_plain_code_runs_in_another(self, run: Run) -> None:
        async def work() -> int:
            return await sync_to_async(thread, thread_sensitive=False)()

        assert run(work) != thread()

    @pytest.mark.django_db
    def test_djangos_async_orm_sees_the_callers_transaction(self, run: Run) -> None:
        from motia_django.models import Pause

        async def work() -> int:
            await Pause.objects.acreate(step="Nobody", reason="")
            return await Pause.objects.acount()

        before = Pause.objects.count()
        assert run(work) == before + 1
        assert Pause.objects.count() == before + 1
        assert connection.in_atomic_block

    def test_locals_and_context_variables_come_along_and_go_back(self, run: Run) -> None:
        async def work(waits: bool) -> tuple[Any, ...]:
            if waits:
                await wait()
            seen = said.get(), getattr(local, "said", None), translation.get_language()
            said.set("by the handler")
            local.said = "by the handler, too"
            translation.activate("fr")
            if waits:
                await wait()
            return *seen, said.get(), local.said, translation.get_language()

        def call(waits: bool) -> None:
            said.set("by the caller")
            local.said = "by the caller, too"
            with translation.override("de"):
                assert run(work, waits) == (
                    "by the caller",
                    "by the caller, too",
                    "de",
                    "by the handler",
                    "by the handler, too",
                    "fr",
                )
                assert (said.get(), local.said) == ("by the handler", "by the handler, too")
                assert translation.get_language() == "fr"

        for waits in (False, True):
            call(waits)

    def test_tasks_that_were_begun_see_locals_as_well(self, run: Run) -> None:
        async def see() -> Any:
            await wait()
            return local.said

        async def work() -> Any:
            return await asyncio.gather(see(), asyncio.create_task(see()))

        local.said = "by the caller"
        assert run(work) == ["by the caller"] * 2

    def test_a_task_that_nobody_awaits_begins_and_is_cancelled_at_the_end(self, run: Run) -> None:
        told: list[str] = []
        kept: list[asyncio.Task[None]] = []

        async def forever() -> None:
            told.append("begun")
            try:
                await asyncio.sleep(60)
            finally:
                told.append("ended")

        async def work() -> None:
            kept.append(asyncio.create_task(forever()))
            await aside(thread)

        run(work)
        assert told == ["begun", "ended"]
        assert not is_kept()

    def test_an_async_generator_is_closed_at_the_end(self, run: Run) -> None:
        told: list[str] = []
        kept = []

        async def numbers() -> AsyncIterator[int]:
            try:
                for number in range(9):
                    yield number
            finally:
                told.append("closed")

        async def work() -> int:
            kept.append(numbers())
            return await anext(kept[0])

        assert run(work) == 0
        assert told == ["closed"]

    def test_a_timer_that_was_left_is_nobody_elses(self, run: Run) -> None:
        told: list[str] = []

        async def work() -> None:
            asyncio.get_running_loop().call_later(0, told.append, "of another call")

        run(work)
        told.clear()
        run(here)
        run(wait)
        assert told == []

    def test_plain_code_in_plain_code_finds_the_loop_above(self, run: Run) -> None:
        async def which() -> asyncio.AbstractEventLoop:
            return asyncio.get_running_loop()

        async def work() -> Any:
            above = await sync_to_async(async_to_sync(which))()
            ours = await sync_to_async(loops.run)(which)
            return above, ours, asyncio.get_running_loop()

        above, ours, own = run(work)
        assert above is own
        assert ours is own

    def test_groups_of_tasks_and_their_errors(self, run: Run) -> None:
        async def fail() -> None:
            await wait()
            raise KeyError("x")

        async def work() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(fail())
                group.create_task(asyncio.sleep(60))

        with pytest.raises(ExceptionGroup) as raised:
            run(work)
        assert raised.group_contains(KeyError)

    def test_it_is_refused_where_a_loop_runs(self, run: Run) -> None:
        async def work() -> None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)
                with pytest.raises(RuntimeError, match="same thread as an async event loop"):
                    run(here)

        asyncio.run(work())

    def test_sys_exit_comes_through(self, run: Run) -> None:
        async def leave() -> None:
            await aside(thread)
            raise SystemExit(3)

        with pytest.raises(SystemExit):
            run(leave)
        assert run(here)


class TestTurns:
    """Who stays for long in the caller's thread keeps others waiting."""

    def test_a_call_that_only_does_plain_things_is_cancelled_at_its_limit(self) -> None:
        async def forever() -> None:
            while True:
                await aside(thread)

        with pytest.raises(TimedOut):
            calls.call(forever, limit=0.3)

    def test_a_call_that_never_waits_is_cancelled_at_its_limit(self) -> None:
        async def forever() -> None:
            while True:
                await asyncio.sleep(0)

        with pytest.raises(TimedOut):
            calls.call(forever, limit=0.3)

    def test_one_that_has_taken_longer_than_its_limit_is_told_at_its_next_await(self) -> None:
        told: list[str] = []

        def take_long() -> None:
            threading.Event().wait(0.3)

        async def work() -> None:
            await aside(take_long)
            told.append("went on")

        with pytest.raises(TimedOut):
            calls.call(work, limit=0.2)
        assert told == []

    def test_a_task_has_its_turn_before_what_is_done_aside(self, run: Run) -> None:
        told: list[str] = []
        kept: list[asyncio.Task[None]] = []

        async def other() -> None:
            told.append("other")

        async def work() -> None:
            kept.append(asyncio.create_task(other()))
            await aside(told.append, "aside")
            told.append("on")

        run(work)
        assert told[-1] == "on"
        assert sorted(told) == ["aside", "on", "other"]


def test_nothing_is_left_of_what_was_raised() -> None:
    class Told(Exception):
        def __init__(self) -> None:
            kept.append(weakref.ref(self))

    kept: list[weakref.ref[Told]] = []

    async def fail() -> None:
        raise Told

    gc.disable()
    try:
        with suppress(Told):
            loops.run(fail)
        assert kept[0]() is None
    finally:
        gc.enable()


def test_the_loop_of_a_thread_goes_with_it() -> None:
    kept: list[weakref.ref[loops.Loop]] = []

    def work() -> None:
        loops.run(here)
        kept.append(weakref.ref(loops._idle.loops[0]))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        threads = [threading.Thread(target=work) for _ in range(3)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        gc.collect()
    assert [each() for each in kept] == [None] * 3


def test_without_what_asgiref_keeps_to_itself_it_is_asgirefs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loops, "_adopt", None)
    assert loops.run(here) != thread()
