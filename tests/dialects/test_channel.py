"""Answers by a channel, read as servers of WSGI and ASGI read them, while they are written."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from motia_django import state, stateManager
from motia_django.runs import Status
from tests.factories import rows
from tests.web.reading import Reading
from tests.web.serving import answering

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database]

SERVERS = ("wsgi", "asgi")


@pytest.mark.parametrize("server", SERVERS)
def test_a_part_is_sent_before_the_next_is_written(server: str) -> None:
    gate = threading.Event()

    async def handler(args: Any) -> None:
        await args.response.status(203)
        await args.response.headers({"X-Kind": "channel"})
        args.response.writer.stream.write("a")
        args.response.writer.stream.write("b")
        await asyncio.to_thread(gate.wait)
        pending: Any = stateManager.set("channel", "seen", True)
        await pending
        args.response.writer.stream.write("c")
        stateManager.set("channel", "not awaited", True)
        args.response.close()

    with answering(handler):
        reading = Reading(server)
        assert (reading.response.status_code, reading.response["X-Kind"]) == (203, "channel")
        assert [reading.next(), reading.next()] == [b"a", b"b"]
        assert state.list("channel") == []
        gate.set()
        assert reading.rest() == [b"c"]
        reading.close()
    assert state.items("channel") == [("not awaited", True), ("seen", True)]
    (run,) = rows()
    assert (run.status, run.output["body"]) == (Status.SUCCEEDED, {"parts": 3, "bytes": 3})


@pytest.mark.parametrize("server", SERVERS)
def test_a_client_that_goes_away_ends_the_handler(server: str) -> None:
    ended: list[str] = []

    async def handler(args: Any) -> None:
        try:
            while True:
                args.response.writer.stream.write("tick")
                await asyncio.sleep(0)
        finally:
            ended.append("ended")

    with answering(handler):
        reading = Reading(server)
        assert reading.next() == b"tick"
        reading.close()
    assert ended == ["ended"]
    (run,) = rows()
    assert run.output["body"]["ended"] == "the client went away before the end"


@pytest.mark.parametrize("server", SERVERS)
def test_an_error_before_the_first_part_is_an_answer_and_after_it_ends_the_run(server: str) -> None:
    async def handler(args: Any) -> None:
        if args.query.get("late"):
            args.response.writer.stream.write("some")
            await asyncio.sleep(0)
        raise LookupError("nothing")

    with answering(handler):
        early = Reading(server)
        assert early.response.status_code == 500
        early.close()
        late = Reading(server, "/x?late=1")
        assert late.next() == b"some"
        with pytest.raises(LookupError):
            late.rest()
        late.close()
    assert [run.status for run in rows()] == [Status.DEAD, Status.DEAD]


@pytest.mark.parametrize("server", SERVERS)
def test_waiting_that_fails_is_raised_in_the_handler(server: str) -> None:
    async def handler(args: Any) -> None:
        args.response.writer.stream.write("before ")
        try:
            async with asyncio.timeout(0.001):
                await asyncio.Event().wait()
        except TimeoutError:
            args.response.writer.stream.write("after")
        pending: Any = stateManager.set("channel", "late", True)
        await pending

    with answering(handler):
        reading = Reading(server)
        assert reading.next() == b"before "
        time.sleep(0.01)  # it is up while nobody reads
        assert b"".join(reading.rest()) == b"after"
        reading.close()
    assert state.get("channel", "late") is True


@pytest.mark.parametrize("server", SERVERS)
def test_tasks_of_a_group_that_outlasts_a_part_are_waited_for(server: str) -> None:
    async def fails() -> None:
        await asyncio.sleep(0.01)
        raise LookupError

    async def handler(args: Any) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(fails())
                args.response.writer.stream.write("before ")
                await asyncio.Event().wait()
        except* LookupError:
            args.response.writer.stream.write("after")

    with answering(handler):
        reading = Reading(server)
        assert b"".join(reading.rest()) == b"before after"
        reading.close()


def test_many_parts_and_any_text() -> None:
    async def handler(args: Any) -> None:
        for number in range(2000):
            args.response.writer.stream.write(f"ä{number}😀")
            if number % 100 == 0:
                await asyncio.sleep(0)

    with answering(handler):
        reading = Reading("wsgi")
        text = b"".join(reading.rest()).decode()
        reading.close()
    assert text == "".join(f"ä{number}😀" for number in range(2000))
