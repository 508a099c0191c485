"""Threads that are lent to requests: few, kept for the next, and none of them is lost."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import SyncToAsync, ThreadSensitiveContext, sync_to_async
from django.db import connections

from motia_django.live.threads import give_back_what_is_kept
from motia_django.web import lending
from motia_django.web.lending import Lent, lent_thread

pytestmark = pytest.mark.one_database


@pytest.fixture(autouse=True)
def threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Begin with none, and leave none."""
    own = lending._Threads()
    monkeypatch.setattr(lending, "_threads", own)
    yield own
    own.end()
    assert not any(each.is_alive() for each in own._all)


async def in_thread() -> threading.Thread:
    return await sync_to_async(threading.current_thread)()


async def request() -> list[threading.Thread]:
    async with ThreadSensitiveContext():
        with lent_thread():
            return [await in_thread(), await in_thread()]


def test_a_request_has_one_thread_and_the_next_has_it_again() -> None:
    async def requests() -> list[threading.Thread]:
        return [each for _ in range(3) for each in await request()]

    found = asyncio.run(requests())
    assert len({*found}) == 1
    assert found[0].name == "motia-request"


def test_a_thread_that_is_still_at_work_is_lent_to_nobody_else(threads: Any) -> None:
    gate = threading.Event()
    first, second = Lent(), Lent()
    working = first.submit(gate.wait, 10)
    first.shutdown()
    other = second.submit(threading.current_thread).result(10)
    assert other not in threads._idle
    gate.set()
    assert working.result(10)
    third = Lent()
    assert third.submit(threading.current_thread).result(10) is not other
    second.shutdown()
    third.shutdown()
    assert len(threads._idle) == 2


def test_a_thread_is_not_back_while_it_does_what_came_before_a_cancelled_call(
    threads: Any,
) -> None:
    gate, lent = threading.Event(), Lent()
    working = lent.submit(gate.wait, 10)
    unwanted = lent.submit(int)
    lent.shutdown()
    assert unwanted.cancel()
    assert threads._idle == []
    gate.set()
    assert working.result(10)
    while not threads._idle:
        time.sleep(0.01)


def test_what_nobody_wants_any_more_is_not_done() -> None:
    gate, lent = threading.Event(), Lent()
    done: list[str] = []
    lent.submit(gate.wait, 10)
    unwanted = lent.submit(done.append, "no")
    assert unwanted.cancel()
    gate.set()
    assert lent.submit(done.append, "yes").result(10) is None
    lent.shutdown()
    assert done == ["yes"]


def test_what_a_call_raises_is_raised_to_who_waits_for_it() -> None:
    async def failing() -> None:
        async with ThreadSensitiveContext():
            with lent_thread():
                await sync_to_async(int)("no number")

    with pytest.raises(ValueError, match="no number"):
        asyncio.run(failing())


@pytest.mark.django_db(transaction=True)
def test_an_idle_thread_ends_after_a_while_and_closes_its_connections(
    threads: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lending, "_KEPT", 0.01)
    closed: list[bool] = []

    def use() -> threading.Thread:
        connection: Any = connections["default"]
        connection.close = lambda: closed.append(True)
        return threading.current_thread()

    lent = Lent()
    thread = lent.submit(use).result(10)
    lent.submit(threading.Event().wait, 0.05).result(10)
    assert thread.is_alive()  # whoever has it may be as slow as he likes
    lent.shutdown()
    thread.join(10)
    assert not thread.is_alive()
    assert (threads._idle, threads._all) == ([], set())
    assert closed == [True]


def test_the_thread_can_be_given_back_while_the_request_goes_on(threads: Any) -> None:
    async def stream() -> None:
        async with ThreadSensitiveContext():
            with lent_thread():
                own = await in_thread()
                await give_back_what_is_kept()
                while own not in threads._idle:
                    await asyncio.sleep(0.01)
                other = asyncio.create_task(request(), context=contextvars.Context())
                assert await other == [own, own]
                assert await in_thread()

    asyncio.run(stream())
    assert len(threads._idle) == 1


def test_within_a_request_there_is_only_the_one_thread() -> None:
    async def outer() -> list[threading.Thread]:
        async with ThreadSensitiveContext():
            with lent_thread():
                return [await in_thread(), *await request(), await in_thread()]

    assert len({*asyncio.run(outer())}) == 1


def test_where_asgiref_keeps_threads_elsewhere_it_does_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async def alone() -> threading.Thread:
        with lent_thread():
            return await in_thread()

    assert asyncio.run(alone()).name != "motia-request"
    monkeypatch.delattr(SyncToAsync, "thread_sensitive_context")
    assert lending._threads._all == set()


FORKED = """
import os, threading
from motia_django.web.lending import Lent
first = Lent()
first.submit(int).result()
first.shutdown()
if os.fork() == 0:
    print("child", Lent().submit(threading.current_thread).result(5).name, flush=True)
    os._exit(0)
os.wait()
"""
ENDING = """
import time
from motia_django.web.lending import Lent
def work():
    time.sleep(0.2)
    print("done")
Lent().submit(int).result()
Lent().submit(work)
print("ends")
"""


@pytest.mark.parametrize(
    ("script", "said"), [(FORKED, ["child motia-request"]), (ENDING, ["ends", "done"])]
)
def test_a_process_that_forks_and_one_that_ends_lose_nothing(script: str, said: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout.splitlines(), done.stderr) == (said, "")
