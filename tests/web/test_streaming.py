"""Answers that are sent part by part, in process: by WSGI and by ASGI."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth.models import Group
from django.core.handlers.asgi import ASGIHandler
from rest_framework.exceptions import NotFound

from motia_django import Response, invoke, signals, sse
from motia_django.exceptions import InvalidResponse, PayloadError
from motia_django.runs import Status
from motia_django.web.asgi_handler import AsgiHandler
from tests.factories import installed, make_step, rows
from tests.web.reading import Reading
from tests.web.serving import answering, http, serving

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database]
SERVERS = ("wsgi", "asgi")
EVENTS = "text/event-stream; charset=utf-8"


def of_both_kinds(*parts: Any, between: Callable[[], object] = lambda: None) -> list[Any]:
    """Return handlers that give these parts: generator functions, and functions that return one."""

    def plain(request: Any = None, ctx: Any = None) -> Iterator[Any]:
        for part in parts:
            yield part
            between()

    async def asynchronous(request: Any = None, ctx: Any = None) -> Any:
        for part in parts:
            yield part
            await asyncio.to_thread(between)

    def returned() -> Any:
        return plain()

    async def awaited() -> Any:
        return {"status": 201, "headers": {"X-A": "b"}, "body": asynchronous()}

    return [plain, asynchronous, returned, awaited]


KINDS = ("plain", "asynchronous", "returned", "awaited")


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("kind", range(4), ids=KINDS)
def test_the_first_part_is_read_before_the_last_is_made(server: str, kind: int) -> None:
    gate = threading.Event()
    with answering(of_both_kinds("first", "last", between=gate.wait)[kind]):
        reading = Reading(server)
        assert reading.streamed
        assert reading.next() == b"first"
        assert rows() == []
        gate.set()
        assert reading.rest() == [b"last"]
        reading.close()
    (run,) = rows()
    assert (run.status, run.output["body"]) == (Status.SUCCEEDED, {"parts": 2, "bytes": 9})
    assert run.output["status"] == reading.response.status_code == (201 if kind == 3 else 200)


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("kind", range(4), ids=KINDS)
@pytest.mark.parametrize(
    ("parts", "content", "content_type"),
    [
        ((b"a", bytearray(b"b"), memoryview(b"c")), b"abc", "application/octet-stream"),
        (("ä", b"b"), "äb".encode(), "text/plain; charset=utf-8"),
        (({"a": 1}, [2], None), b'{"a":1}\n[2]\nnull\n', "application/x-ndjson"),
        (
            (sse({"a": 1}), sse("b")),
            b'data: {"a":1}\n\ndata: b\n\n',
            EVENTS,
        ),
        ((), b"", None),
    ],
    ids=["bytes", "text", "json", "events", "nothing"],
)
def test_the_first_part_says_what_kind_of_content_it_is(
    server: str, kind: int, parts: Any, content: bytes, content_type: str | None
) -> None:
    with answering(of_both_kinds(*parts)[kind]):
        reading = Reading(server)
        assert b"".join(reading.rest()) == content
        reading.close()
    told = reading.response.headers.get("Content-Type")
    assert told == content_type
    assert reading.response["X-Accel-Buffering"] == "no"
    assert rows()[0].status == Status.SUCCEEDED


@pytest.mark.parametrize("server", SERVERS)
def test_a_declared_kind_is_sent_at_once_and_kept(server: str) -> None:
    gate = threading.Event()

    def handler() -> Any:
        def parts() -> Iterator[Any]:
            gate.wait()
            yield "a,b\n"

        return Response(parts(), headers={"content-type": "text/csv", "x-accel-buffering": "yes"})

    with answering(handler):
        reading = Reading(server)
        assert reading.response["Content-Type"] == "text/csv"
        assert reading.response["X-Accel-Buffering"] == "yes"
        gate.set()
        assert reading.rest() == [b"a,b\n"]
        reading.close()


@pytest.mark.parametrize("server", SERVERS)
def test_a_generator_of_events_is_one_with_its_headers(server: str) -> None:
    def numbers() -> Iterator[Any]:
        yield 1
        yield "two\nlines"
        yield sse({"x": 3}, event="third", id=3, retry=10, comment="hm")

    with answering(lambda: Response(sse(numbers()), headers={"X-A": "b"})):
        reading = Reading(server)
        text = b"".join(reading.rest()).decode()
        reading.close()
    assert text == (
        "data: 1\n\ndata: two\ndata: lines\n\n"
        ': hm\nevent: third\nid: 3\nretry: 10\ndata: {"x":3}\n\n'
    )
    headers = reading.response.headers
    assert headers["Content-Type"] == EVENTS
    assert (headers["Content-Encoding"], headers["X-A"]) == ("identity", "b")
    assert "no-transform" in headers["Cache-Control"]


def working(kind: str) -> Callable[..., Any]:
    """Return a handler that yields "a", does what its context can do, and goes on."""

    def plain(request: Any, ctx: Any) -> Iterator[Any]:
        yield "a"
        ctx.logger.info("Half way")
        ctx.state.set("g", "k", 1)
        ctx.enqueue({"topic": "work", "data": {}})
        yield ctx.invoke("Asked")

    async def asynchronous(request: Any, ctx: Any) -> Any:
        yield "a"
        ctx.logger.info("Half way")
        await ctx.state.set("g", "k", 1)
        await ctx.enqueue({"topic": "work", "data": {}})
        yield await ctx.invoke("Asked")

    return plain if kind == "plain" else asynchronous


@contextmanager
def finished() -> Iterator[list[str]]:
    """Collect the Steps whose runs are over, with how they ended."""
    over: list[str] = []

    def note(sender: Any, outcome: Any, **more: Any) -> None:
        over.append(f"{sender} {outcome.status}")

    signals.run_finished.connect(note)
    try:
        yield over
    finally:
        signals.run_finished.disconnect(note)


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("kind", ["plain", "async"])
def test_what_happens_in_between_is_the_runs(server: str, kind: str) -> None:
    streams = make_step(working(kind), http(), name="Streams", enqueues=["work"])
    asked = make_step(lambda: "yes", {"type": "queue", "topic": "ask"}, name="Asked")
    with serving(streams, make_step(), asked), finished() as over:
        reading = Reading(server)
        assert (reading.next(), over) == (b"a", [])
        assert reading.rest() == [b"yes"]
        reading.close()
    assert over == ["Asked succeeded", "Streams succeeded"]
    runs = {run.step: run for run in rows()}
    told = [(entry["kind"], entry.get("message")) for entry in runs["Streams"].timeline]
    assert told == [("log", "Half way"), ("state", None), ("enqueue", None), ("invoke", None)]
    assert {run.trace_id for run in runs.values()} == {reading.response["Motia-Trace-Id"]}
    assert {runs["Work"].parent_id, runs["Asked"].parent_id} == {runs["Streams"].id}


def test_a_generator_that_fails_as_it_is_closed_is_a_dead_run_and_no_error_of_the_servers() -> None:
    def handler() -> Iterator[Any]:
        try:
            yield "a"
            yield "b"
        finally:
            raise ValueError("the file is gone")

    with answering(handler):
        reading = Reading("wsgi")
        assert reading.next() == b"a"
        reading.close()
    (run,) = rows()
    assert run.status == Status.DEAD
    assert "ValueError: the file is gone" in run.error
    assert run.output["body"]["parts"] == 1


def test_a_generator_that_ends_the_process_ends_only_its_run() -> None:
    def handler() -> Iterator[Any]:
        yield "a"
        raise SystemExit(3)

    with answering(handler):
        reading = Reading("wsgi")
        with pytest.raises(SystemExit):
            reading.rest()
        reading.close()
    (run,) = rows()
    assert run.status == Status.DEAD
    assert "it ended by SystemExit(3), not by returning or failing" in run.error


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("kind", ["plain", "async"])
@pytest.mark.parametrize("error", [ValueError("no"), NotFound()], ids=["failure", "answer"])
def test_an_error_in_the_middle_is_a_dead_run_with_its_traceback(
    server: str, kind: str, error: Exception
) -> None:
    def plain() -> Iterator[Any]:
        yield "a"
        raise error

    async def asynchronous() -> Any:
        yield "a"
        raise error

    with answering(plain if kind == "plain" else asynchronous):
        reading = Reading(server)
        assert reading.next() == b"a"
        with pytest.raises(type(error)):
            reading.rest()
        reading.close()
    (run,) = rows()
    assert run.status == Status.DEAD
    assert "raise error" in run.error
    assert run.output["body"] == {"parts": 1, "bytes": 1, "ended": "by an error"}
    assert run.timeline[-1]["kind"] == "error"


@pytest.mark.parametrize("server", SERVERS)
def test_a_part_that_cannot_be_written_is_a_dead_run_and_closes_the_generator(server: str) -> None:
    closed: list[bool] = []

    def handler() -> Iterator[Any]:
        try:
            yield "a"
            yield object()
        finally:
            closed.append(True)

    with answering(handler):
        reading = Reading(server)
        reading.next()
        with pytest.raises(PayloadError):
            reading.rest()
        reading.close()
    assert closed == [True]
    assert rows()[0].status == Status.DEAD


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("kind", ["plain", "async"])
@pytest.mark.parametrize(("error", "status"), [(ValueError("no"), 500), (NotFound(), 404)])
def test_an_error_before_the_first_part_is_an_answer_like_any_other(
    server: str, kind: str, error: Exception, status: int
) -> None:
    def plain() -> Iterator[Any]:
        if error:
            raise error
        yield

    async def asynchronous() -> Any:
        if error:
            raise error
        yield

    with answering(plain if kind == "plain" else asynchronous):
        reading = Reading(server)
        assert (reading.streamed, reading.response.status_code) == (False, status)
        reading.close()
    assert rows()[0].status == (Status.DEAD if status == 500 else Status.SUCCEEDED)


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("kind", ["plain", "async"])
@pytest.mark.parametrize("read", [0, 1])
def test_a_client_that_goes_away_closes_the_generator_and_the_run_says_so(
    server: str, kind: str, read: int
) -> None:
    closed: list[str] = []

    def plain(request: Any, ctx: Any) -> Iterator[Any]:
        try:
            for number in range(5):
                yield {"number": number}
        finally:
            ctx.state.set("g", "closed", True)
            closed.append("plain")

    async def asynchronous(request: Any, ctx: Any) -> Any:
        try:
            for number in range(5):
                yield {"number": number}
        finally:
            await ctx.state.set("g", "closed", True)
            closed.append("async")

    with answering(plain if kind == "plain" else asynchronous):
        reading = Reading(server)
        for _ in range(read):
            reading.next()
        reading.close()
    assert closed == [kind]
    (run,) = rows()
    went = "the client went away before the end"
    assert (run.status, run.output["body"]["ended"]) == (Status.SUCCEEDED, went)
    assert run.output["body"]["parts"] == read
    assert [entry["kind"] for entry in run.timeline] == ["note", "state"]
    assert run.timeline[0]["message"] == went


@pytest.mark.parametrize("kind", ["plain", "async"])
@pytest.mark.parametrize("handler", [ASGIHandler, AsgiHandler])
def test_a_client_may_go_away_before_the_first_part(handler: type[ASGIHandler], kind: str) -> None:
    gate = threading.Event()
    waiting = asyncio.Event()

    def plain() -> Iterator[str]:
        loop.call_soon_threadsafe(waiting.set)
        gate.wait()
        yield "a"

    async def asynchronous() -> Any:
        waiting.set()
        await asyncio.Event().wait()
        yield "a"

    async def visit() -> None:
        headers = [(b"host", b"testserver")]
        scope = {"type": "http", "method": "GET", "path": "/x", "query_string": b""}
        communicator: Any = ApplicationCommunicator
        client = communicator(handler(), {**scope, "headers": headers})
        await client.send_input({"type": "http.request", "body": b""})
        await waiting.wait()
        await client.send_input({"type": "http.disconnect"})
        gate.set()
        await client.wait()

    loop = asyncio.new_event_loop()
    with answering(plain if kind == "plain" else asynchronous):
        loop.run_until_complete(visit())
        loop.close()
        unsent_are_closed()
    (run,) = rows()
    went = "the client went away before the end"
    assert (run.status, run.output["body"]["ended"]) == (Status.SUCCEEDED, went)


def unsent_are_closed() -> None:
    """Wait until what nobody sends has been noticed."""
    for _ in range(3):
        gc.collect()
    for thread in threading.enumerate():
        if thread.name == "motia-answer-unsent":
            thread.join()


@pytest.mark.parametrize("server", SERVERS)
def test_an_answer_that_nobody_ever_sent_is_not_lost(server: str) -> None:
    with answering(of_both_kinds("a", "b")[0]):
        reading = Reading(server)
        reading.forget()
        unsent_are_closed()
        assert [run.status for run in rows()] == [Status.SUCCEEDED]


@pytest.mark.parametrize("server", SERVERS)
def test_head_gets_the_headers_and_begins_nothing(server: str) -> None:
    begun: list[bool] = []

    def parts() -> Iterator[Any]:
        begun.append(True)
        yield "a"

    with answering(lambda: {"body": parts(), "headers": {"Content-Type": "text/csv"}}):
        reading = Reading(server, method="head")
        assert (reading.response["Content-Type"], reading.response.content) == ("text/csv", b"")
        reading.close()
    assert begun == []
    assert rows()[0].output["body"]["ended"] == "only the headers were asked for"


def test_an_async_generator_lives_on_one_loop_and_its_orm_in_the_readers_thread() -> None:
    loops: list[Any] = []
    threads: list[int] = []

    async def handler() -> Any:
        queue: asyncio.Queue[int] = asyncio.Queue()

        async def fill() -> None:
            for number in range(3):
                await queue.put(number)

        task = asyncio.ensure_future(fill())
        for _ in range(3):
            loops.append(asyncio.get_running_loop())
            threads.append(await sync_to_async(threading.get_ident)())
            yield {"number": await queue.get(), "groups": await Group.objects.acount()}
        await task

    Group.objects.create(name="a")
    with answering(handler):
        reading = Reading("wsgi")
        parts = [json.loads(part) for part in reading.rest()]
        reading.close()
    assert parts == [{"number": number, "groups": 1} for number in range(3)]
    assert (len(set(loops)), set(threads)) == (1, {threading.get_ident()})
    assert loops[0].is_closed()


@pytest.mark.parametrize("is_declared", [False, True])
def test_what_the_request_held_is_given_back_if_nothing_was_begun_with_it(
    is_declared: bool,
) -> None:
    threads: list[str] = []

    def note() -> None:
        threads.append(threading.current_thread().name)

    async def parts() -> Any:
        await sync_to_async(note)()
        yield "a"
        await sync_to_async(note)()
        yield "b"

    def handler() -> Any:
        note()
        return Response(sse(parts()) if is_declared else parts())

    with answering(handler):
        reading = Reading("asgi")
        assert len(reading.rest()) == 2
        reading.close()
    own, *others = threads
    assert others == [others[0]] * 2
    assert (others[0] == own) is not is_declared


def test_the_transaction_is_over_before_the_first_part() -> None:
    from django.db import connection

    seen: list[bool] = []

    def parts() -> Iterator[Any]:
        seen.append(connection.in_atomic_block)
        yield "a"

    def handler() -> Any:
        seen.append(connection.in_atomic_block)
        return parts()

    with serving(make_step(handler, http(), atomic=True)) as client:
        assert b"".join(client.get("/x")) == b"a"
    assert seen == [True, False]


def test_only_a_request_can_be_answered_part_by_part() -> None:
    def handler() -> Iterator[Any]:
        yield 1

    with installed(make_step(handler, http())):
        with pytest.raises(InvalidResponse, match="invoked by name there is none"):
            invoke("Work")
    with installed(make_step(handler, {"type": "queue", "topic": "work"}, http())):
        with pytest.raises(InvalidResponse, match="an HTTP request, and only so"):
            invoke("Work")
