"""Loops that begin in the caller's thread: whatever is done on them goes as it does by asgiref."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sqlite3
import threading
import warnings
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from contextvars import Context, ContextVar
from typing import Any

import pytest
from asgiref.local import Local
from asgiref.sync import SyncToAsync, ThreadSensitiveContext, async_to_sync, sync_to_async
from django.db import connection
from django.db.models.signals import post_save
from django.utils import translation

from motia_django import calls, loops, twofold
from motia_django.eventloop import Loop
from motia_django.exceptions import TimedOut
from motia_django.loops import aside, at_length
from motia_django.models import Pause
from tests.factories import listening

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


async def wait_for_the_caller() -> int:
    async with asyncio.timeout(30):  # only this would wake a loop that nothing else can wake
        return await sync_to_async(thread)()


def is_kept_after(work: Any, run: Run, left_open: list[Any]) -> bool:
    """Return whether the loop of a call is kept that leaves something open; let go of that."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        run(work)
        found = is_kept()
        left_open.clear()
        gc.collect()
    return found


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

    def test_it_is_one_from_first_to_last_whatever_is_awaited(self, run: Run) -> None:
        async def work() -> list[int]:
            database, lock = sqlite3.connect(":memory:"), threading.RLock()
            with lock:
                await wait()
                await sync_to_async(thread)()
                await sync_to_async(async_to_sync(wait))()
                await asyncio.to_thread(thread)
            with closing(database):
                return list(database.execute("select 1").fetchone())

        assert run(work) == [1]

    def test_other_tasks_go_on_while_plain_code_is_done(self, run: Run) -> None:
        ended = threading.Event()

        async def other() -> None:
            await wait()
            ended.set()

        async def work(plain: Callable[..., Any]) -> Any:
            task = asyncio.create_task(other())
            await asyncio.sleep(0)
            is_set = await plain(ended.wait, 30)
            await task
            return is_set

        for plain in (aside, lambda function, *args: sync_to_async(function)(*args)):
            assert run(work, plain)
            ended.clear()

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

    def test_a_process_that_was_forked_leaves_alone_what_its_parent_watches(self) -> None:
        loops.run(here)
        child = os.fork()
        if not child:
            loops._idle.loops.clear()
            gc.collect()
            os._exit(0)
        os.waitpid(child, 0)
        assert loops.run(wait_for_the_caller) == thread()


@pytest.mark.django_db
class TestQueries:
    """Django's async ORM asks on the spot, too."""

    def test_they_need_neither_a_thread_nor_a_loop_of_their_own(self) -> None:
        async def work() -> list[str]:
            pause = await Pause.objects.acreate(step="Nobody", reason="on holiday")
            pause.reason = "still on holiday"
            await pause.asave()
            assert await Pause.objects.filter(step="Nobody").aexists()
            reasons = [each.reason async for each in Pause.objects.filter(step="Nobody")]
            await (await Pause.objects.aget(step="Nobody")).adelete()
            assert await here() == thread()
            return reasons

        assert loops.run(work) == ["still on holiday"]
        assert not Pause.objects.filter(step="Nobody").exists()

    def test_what_one_raises_is_raised(self) -> None:
        async def work() -> str:
            try:
                await Pause.objects.aget(step="Nobody")
            except Pause.DoesNotExist:
                return "nobody"
            return "somebody"

        assert loops.run(work) == "nobody"
        assert is_kept()

    def test_rows_that_are_read_one_by_one_leave_nothing(self) -> None:
        async def work() -> list[Pause]:
            return [each async for each in Pause.objects.all()]

        assert loops.run(work) == []
        assert is_kept()

    def test_a_receiver_of_a_signal_may_call_async_code(self) -> None:
        told: list[int] = []

        async def tell() -> None:
            await wait()
            told.append(await here())

        def hear(**kwargs: Any) -> None:
            assert not twofold.is_in_loop()
            async_to_sync(tell)()
            loops.run(tell)

        async def work() -> None:
            await Pause.objects.acreate(step="Nobody", reason="")

        with listening(post_save, hear):
            loops.run(work)
        by_asgiref, ours = told
        assert by_asgiref != thread()
        assert ours == thread()

    def test_those_that_others_would_have_to_wait_for_are_asked_as_before(self) -> None:
        async def work() -> list[int]:
            return list(await asyncio.gather(Pause.objects.acount(), Pause.objects.acount()))

        assert loops.run(work) == [0, 0]


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

    def test_a_task_that_waits_for_what_never_comes_is_cancelled_at_the_end(self, run: Run) -> None:
        told: list[str] = []
        kept: list[asyncio.Task[None]] = []

        async def forever() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                told.append("ended")

        async def work() -> None:
            kept.append(asyncio.create_task(forever()))
            for _ in range(3):
                await asyncio.sleep(0)

        run(work)
        assert told == ["ended"]
        assert not is_kept()

    def test_what_was_begun_in_other_threads_is_done_at_the_end(self, run: Run) -> None:
        told: list[str] = []

        def take_long() -> None:
            threading.Event().wait(0.1)
            told.append("done")

        async def work() -> None:
            asyncio.get_running_loop().run_in_executor(None, take_long)

        run(work)
        assert told == ["done"]
        assert not is_kept()

    def test_what_is_still_watched_is_nobody_elses(self, run: Run) -> None:
        kept: list[Any] = []

        async def work() -> None:
            loop = asyncio.get_running_loop()
            address = ("127.0.0.1", 0)
            kept.append(
                await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=address)
            )

        assert not is_kept_after(work, run, kept)

    def test_what_could_be_watched_again_is_nobody_elses(self, run: Run) -> None:
        kept: list[Any] = []

        async def work() -> None:
            ours, kept[:] = socket.socketpair(), []
            kept.append(await asyncio.open_connection(sock=ours[0]))
            kept[0][1].transport.pause_reading()  # as anyio does, and so httpx
            kept.append(ours[1])

        assert not is_kept_after(work, run, kept)

    def test_all_tasks_are_those_of_the_call(self, run: Run) -> None:
        async def work() -> list[Any]:
            kept = asyncio.create_task(asyncio.sleep(0.01, "another"))
            await wait()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            assert others == {kept}
            return await asyncio.gather(*others)

        assert run(work) == ["another"]

    def test_a_task_factory_may_know_of_no_contexts(self, run: Run) -> None:
        async def work() -> str:
            loop = asyncio.get_running_loop()
            loop.set_task_factory(lambda loop, work: asyncio.Task(work, loop=loop))
            return await asyncio.create_task(asyncio.sleep(0.001, "done"))

        assert run(work) == "done"

    def test_the_loops_that_a_project_has_chosen_are_used(self, run: Run) -> None:
        class Chosen(asyncio.SelectorEventLoop):
            pass

        class Policy(asyncio.DefaultEventLoopPolicy):
            _loop_factory = Chosen

        async def which() -> type:
            return type(asyncio.get_running_loop())

        asyncio.set_event_loop_policy(Policy())
        try:
            assert run(which) is Chosen
        finally:
            asyncio.set_event_loop_policy(None)

    def test_plain_code_of_a_thread_beside_an_asgi_request_is_done_in_it(self, run: Run) -> None:
        async def work() -> int:
            return await sync_to_async(thread)()

        def beside() -> tuple[int, int]:
            return run(work), thread()

        async def request() -> tuple[int, int]:
            async with ThreadSensitiveContext():
                return await asyncio.to_thread(beside)

        there, here = asyncio.run(request())
        assert there == here

    def test_what_is_set_of_a_loop_is_nobody_elses(self, run: Run) -> None:
        async def set_the_factory() -> None:
            asyncio.get_running_loop().set_task_factory(
                lambda loop, work, **rest: asyncio.Task(work, loop=loop, **rest)
            )

        async def set_the_handler() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda loop, what: None)

        async def set_the_executor() -> None:
            asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))

        for function in (set_the_factory, set_the_handler, set_the_executor):
            run(function)
            assert not is_kept()

    def test_signals_are_for_others_to_handle(self, run: Run) -> None:
        async def work() -> None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, thread)

        with pytest.raises(RuntimeError, match="main thread"):
            run(work)

    def test_a_task_may_have_a_context_with_nothing_in_it(self, run: Run) -> None:
        async def see() -> str:
            return said.get()

        async def work() -> str:
            said.set("by the handler")
            return await asyncio.create_task(see(), context=Context())

        assert run(work) == "nothing"

    def test_one_of_several_that_want_the_callers_thread_is_cancelled(self, run: Run) -> None:
        async def work() -> Any:
            tasks = [asyncio.create_task(sync_to_async(thread)()) for _ in range(2)]
            await asyncio.sleep(0)
            tasks[0].cancel()
            return await asyncio.gather(*tasks, return_exceptions=True)

        cancelled, found = run(work)
        assert isinstance(cancelled, asyncio.CancelledError)
        assert found == thread()

    def test_plain_code_that_is_cancelled_before_its_turn_is_not_done(self, run: Run) -> None:
        told: list[str] = []
        may_end = threading.Event()

        async def work() -> None:
            first = asyncio.create_task(sync_to_async(may_end.wait)(30))
            second = asyncio.create_task(sync_to_async(told.append)("done"))
            await wait()
            second.cancel()
            await asyncio.wait([second])
            may_end.set()
            await first

        run(work)
        assert told == []

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

    def test_plain_code_in_another_thread_finds_the_loop_above_that_is_between_threads(
        self,
    ) -> None:
        async def which() -> asyncio.AbstractEventLoop:
            return asyncio.get_running_loop()

        loop = Loop()
        found: list[Any] = []

        def work() -> None:
            SyncToAsync.threadlocal.main_event_loop = loop  # as `sync_to_async` leaves word
            SyncToAsync.threadlocal.main_event_loop_pid = os.getpid()
            found.append(loops.run(which))

        other = threading.Thread(target=work)
        other.start()
        while not loop._is_used and other.is_alive():
            other.join(0.01)
        task = loop.create_task(asyncio.sleep(0.1))
        loop.finish(task)
        other.join()
        assert found == [loop]

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

    def test_sys_exit_in_a_task_comes_through_once_others_have_ended(self, run: Run) -> None:
        told: list[str] = []
        kept: list[asyncio.Task[None]] = []

        async def leave() -> None:
            raise SystemExit(3)

        async def work() -> None:
            kept.append(asyncio.create_task(leave()))
            try:
                await asyncio.Event().wait()
            finally:
                await wait()
                told.append("ended")

        with pytest.raises(SystemExit):
            run(work)
        assert told == ["ended"]
        assert isinstance(kept.pop().exception(), SystemExit)


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

    def test_a_limit_holds_for_what_a_call_that_is_called_waits_for(self, run: Run) -> None:
        told: list[str] = []

        async def inner() -> None:
            try:
                await asyncio.sleep(60)
            finally:
                told.append("cancelled")

        async def outer() -> None:
            async with asyncio.timeout(0.1):
                await at_length(run, inner)

        with pytest.raises(TimeoutError):
            run(outer)
        assert told == ["cancelled"]

    def test_tasks_go_on_while_a_call_that_is_called_waits(self, run: Run) -> None:
        told: list[str] = []
        ended = threading.Event()

        async def inner() -> None:
            await asyncio.to_thread(ended.wait, 60)
            told.append("inner")

        async def other() -> None:
            await wait()
            told.append("other")
            ended.set()

        async def outer() -> None:
            task = asyncio.create_task(other())
            await at_length(run, inner)
            await task

        run(outer)
        assert told == ["other", "inner"]

    def test_a_call_that_is_called_by_one_with_nothing_else_to_do_runs_here(self) -> None:
        async def outer() -> int:
            return await at_length(loops.run, here)

        assert loops.run(outer) == thread()
        assert is_kept()

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


class TestSignals:
    """What the handler of a signal raises in the main thread, as Celery's of a soft time limit."""

    @pytest.fixture(autouse=True)
    def _raising(self) -> Iterator[None]:
        def interrupt(*_: Any) -> None:
            raise Interrupted

        before = signal.signal(signal.SIGUSR2, interrupt)
        yield
        signal.signal(signal.SIGUSR2, before)

    def test_the_handler_that_runs_here_has_it(self) -> None:
        told: list[str] = []

        async def work() -> None:
            try:
                await aside(signal.raise_signal, signal.SIGUSR2)
            except Interrupted:
                told.append("interrupted")

        loops.run(work)
        assert told == ["interrupted"]
        assert is_kept()

    def test_nobody_waits_for_a_task_whose_turn_it_has_ended(self) -> None:
        def interrupt(loop: Any) -> None:
            loop._ready.clear()  # as if the signal had come when the task's turn began
            raise KeyboardInterrupt

        async def work() -> None:
            loop = asyncio.get_running_loop()
            loop.call_soon(interrupt, loop)
            await asyncio.sleep(0)

        with pytest.raises(KeyboardInterrupt):
            loops.run(work)
        assert not is_kept()

    def test_it_is_not_lost_in_the_midst_of_asyncio(self) -> None:
        told: list[str] = []

        async def work() -> None:
            loop = asyncio.get_running_loop()
            loop.call_later(0.01, signal.raise_signal, signal.SIGUSR2)
            try:
                await asyncio.sleep(60)
            finally:
                told.append("ended")

        with pytest.raises(Interrupted):
            loops.run(work)
        assert told == ["ended"]
        assert loops.run(here) == thread()

    def test_the_next_call_finds_no_loop_that_seems_to_run(self) -> None:
        class InterruptedAtItsEnd(Loop):
            def run_forever(self) -> None:
                super().run_forever()
                asyncio._set_running_loop(self)
                signal.raise_signal(signal.SIGUSR2)

        loops._idle.loops.append(InterruptedAtItsEnd())
        with pytest.raises(Interrupted):
            loops.run(here)
        assert loops.run(here) == thread()

    def test_one_that_waits_is_cancelled_and_ends_before_the_caller_goes_on(self) -> None:
        told: list[Any] = []

        async def work() -> None:
            try:
                await asyncio.sleep(0.01)
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR2)
                await asyncio.sleep(60)
            finally:
                told.append(await sync_to_async(thread)())

        with pytest.raises(Interrupted):
            loops.run(work)
        assert told == [thread()]

    def test_the_next_call_has_nothing_to_do_with_a_loop_that_has_not_ended(self) -> None:
        may_end = threading.Event()

        async def work() -> None:
            await asyncio.sleep(0.01)
            await sync_to_async(thread)()
            await asyncio.sleep(0.05)  # until the caller's thread waits again
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR2)
            await asyncio.to_thread(may_end.wait)

        with pytest.raises(Interrupted):
            loops.run(work)
        assert loops.run(here) == thread()
        may_end.set()


class Interrupted(Exception):
    """What a signal's handler raises."""


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


def test_the_loop_of_a_thread_is_closed_as_it_ends() -> None:
    kept: list[Loop] = []

    def work() -> None:
        loops.run(here)
        kept.extend(loops._idle.loops)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        threads = [threading.Thread(target=work) for _ in range(3)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    assert [each.is_closed() for each in kept] == [True] * 3


def test_without_what_asgiref_keeps_to_itself_it_is_asgirefs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loops, "_is_known", False)
    assert loops.run(here) != thread()
