"""Requests under ASGI: those for Steps answered in one go, all of them by threads that are kept."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction, sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.core.signals import request_finished, request_started
from django.db import connection
from django.http import HttpRequest
from django.test import override_settings
from django.utils.decorators import sync_and_async_middleware

from motia_django.asgi import get_asgi_application
from motia_django.models import Pause
from motia_django.runs import Status
from tests.factories import listening, make_step, rows
from tests.web.handled import ASKED, tell, telling
from tests.web.serving import answering, http, serving

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database]

Answer = tuple[int, dict[bytes, bytes], bytes]


async def asked(
    application: Any,
    method: str = "GET",
    path: str = "/x",
    content: bytes = b"",
    headers: dict[bytes, bytes] | None = None,
    until: asyncio.Event | None = None,
    **scope: Any,
) -> Answer:
    """Return what a request is answered; its client goes away when `until` is set."""
    sent: list[dict[str, Any]] = []
    waiting = [{"type": "http.request", "body": content}]

    async def receive() -> dict[str, Any]:
        if waiting:
            return waiting.pop()
        await (until or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    known = {b"host": b"testserver", b"content-length": b"%d" % len(content), **(headers or {})}
    asks = {"type": "http", "method": method, "path": path, "query_string": b"a=1"}
    await application({**asks, "headers": list(known.items()), **scope}, receive, send)
    begun: Any = sent[0] if sent else {"status": 0, "headers": ()}
    parts = (each["body"] for each in sent[1:] if "body" in each)
    return begun["status"], dict(begun["headers"]), b"".join(parts)


def ask(application: Any, *args: Any, **kwargs: Any) -> Answer:
    return asyncio.run(asked(application, *args, **kwargs))


@sync_and_async_middleware
def watched(get_response: Any) -> Any:
    """Tell which way a request came, and in which thread it was."""
    if iscoroutinefunction(get_response):

        async def later(request: HttpRequest) -> Any:
            response = await get_response(request)
            response["X-Way"] = "async"
            return response

        return later

    def now(request: HttpRequest) -> Any:
        response = get_response(request)
        response["X-Way"] = f"sync {threading.get_ident()}"
        return response

    return now


@pytest.fixture
def application() -> Iterator[Any]:
    with override_settings(MIDDLEWARE=[f"{__name__}.watched"]):
        yield get_asgi_application()


@pytest.mark.parametrize("asks", ASKED, ids=repr)
def test_the_answer_is_that_of_djangos_own_handler(asks: dict[str, Any]) -> None:
    with telling():
        ours, theirs = ask(get_asgi_application(), **asks), ask(ASGIHandler(), **asks)
    for _, headers, content in (ours, theirs):
        headers.pop(b"Motia-Trace-Id", None)
        length = headers.pop(b"Content-Length", None)  # Django's own may leave it out
        assert length in (None, b"%d" % len(content))
    assert ours == theirs
    assert len(rows()) % 2 == 0
    assert len({(row.status, repr(row.output)) for row in rows()}) <= 1


def test_all_of_a_request_is_done_in_one_thread_which_the_next_one_has(application: Any) -> None:
    seen: list[tuple[str, int]] = []

    def note(what: str) -> Callable[..., None]:
        return lambda **_: seen.append((what, threading.get_ident()))

    def handler() -> Any:
        seen.append(("handler", threading.get_ident()))
        Pause.objects.exists()
        return {"body": {"connection": id(connection.connection)}}

    both = (listening(request_started, note("begun")), listening(request_finished, note("over")))
    with both[0], both[1], answering(handler):
        status, headers, body = ask(application)
        again = ask(application)
    assert status == 200, body
    assert [what for what, _ in seen] == ["begun", "handler", "over"] * 2
    (thread,) = {where for _, where in seen}
    assert thread != threading.get_ident()
    assert headers[b"X-Way"] == again[1][b"X-Way"] == f"sync {thread}".encode()


def test_what_is_none_of_ours_goes_djangos_way(application: Any) -> None:
    with answering(lambda: None):
        status, headers, _ = ask(application, path="/nowhere")
    assert (status, headers[b"X-Way"]) == (404, b"async")


def test_requests_at_once_have_a_thread_each_and_later_ones_the_same(application: Any) -> None:
    threads: list[int] = []
    together = threading.Barrier(3)

    def handler(request: Any) -> Any:
        threads.append(threading.get_ident())
        if "together" in request.query:
            together.wait(10)
        return {"body": {}}

    async def visits() -> None:
        at_once = (asked(application, query_string=b"together=1") for _ in range(3))
        await asyncio.gather(*at_once)
        for _ in range(5):
            await asked(application)

    with answering(handler):
        asyncio.run(visits())
    assert len({*threads[:3]}) == 3
    assert {*threads[3:]} <= {*threads[:3]}


def test_an_async_step_is_called_off_when_its_client_goes(application: Any) -> None:
    begun = asyncio.Event()
    ended: list[str] = []

    async def handler() -> Any:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append((await sync_to_async(threading.current_thread)()).name)

    with listening(request_finished, lambda **_: ended.append("finished")), answering(handler):
        assert ask(application, until=begun) == (0, {}, b"")
    assert ended == ["motia-request", "finished"]
    (run,) = rows()
    assert run.status == Status.CANCELLED


def test_an_async_step_runs_on_the_servers_loop(application: Any) -> None:
    loops: list[Any] = []

    async def handler(request: Any, ctx: Any) -> Any:
        await asyncio.sleep(0)
        loops.append(asyncio.get_running_loop())
        await ctx.state.set("g", "k", 1)
        return {"body": {"paused": await Pause.objects.acount()}}

    async def visit() -> Answer:
        loops.append(asyncio.get_running_loop())
        return await asked(application)

    with answering(handler):
        status, _, body = asyncio.run(visit())
    assert (status, body) == (200, b'{"paused":0}')
    assert loops[0] is loops[1]


def test_parts_are_made_in_one_thread_until_the_client_goes(application: Any) -> None:
    threads: list[int] = []
    over: list[int] = []
    gone = asyncio.Event()
    gate = threading.Event()
    loop: Any = None

    async def visit() -> Answer:
        nonlocal loop
        loop = asyncio.get_running_loop()
        return await asked(application, until=gone)

    def handler() -> Iterator[str]:
        try:
            for number in range(1000):
                threads.append(threading.get_ident())
                if number == 3:
                    loop.call_soon_threadsafe(gone.set)
                yield f"{number}\n"
                if number >= 3:
                    gate.wait(0.01)
        finally:
            over.append(threading.get_ident())

    with listening(request_finished, lambda **_: over.append(0)), answering(handler):
        status, _, body = asyncio.run(visit())
    assert (status, body[:6]) == (200, b"0\n1\n2\n")
    assert 4 <= len(threads) < 1000
    assert len({*threads}) == 1
    assert over[-1] == 0
    (run,) = rows()
    assert run.output["body"]["ended"] == "the client went away before the end"


def test_who_goes_before_he_has_sent_all_is_not_waited_for(application: Any) -> None:
    async def visit() -> list[Any]:
        sent: list[Any] = []
        messages = [{"type": "http.disconnect"}, {"type": "http.request", "more_body": True}]

        async def receive() -> Any:
            return messages.pop()

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/x", "headers": []}
        await application({**scope, "query_string": b""}, receive, send)
        return sent

    with serving(make_step(tell, http("POST"))):
        assert asyncio.run(visit()) == []
    assert rows() == []


@pytest.mark.parametrize("is_async", [False, True])
def test_what_is_raised_through_djangos_handler_is_told_to_the_server(
    application: Any, is_async: bool
) -> None:
    over: list[bool] = []

    def plain() -> Any:
        raise ValueError("for the server")

    async def asynchronous() -> Any:
        raise ValueError("for the server")

    with (
        override_settings(DEBUG_PROPAGATE_EXCEPTIONS=True),
        listening(request_finished, lambda **_: over.append(True)),
        answering(asynchronous if is_async else plain),
        pytest.raises(ValueError, match="for the server"),
    ):
        ask(application)
    assert over == [True]


def test_what_is_done_though_its_client_has_gone_is_closed_as_ever(application: Any) -> None:
    """It took no notice that it was called off: its answer goes nowhere, and its run is over."""
    begun = asyncio.Event()

    async def handler() -> Any:
        begun.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return {"body": (part for part in ("a", "b"))}

    with answering(handler):
        ask(application, until=begun)
    (run,) = rows()
    assert run.status == Status.SUCCEEDED


def test_a_server_that_says_nonsense_is_told_so(application: Any) -> None:
    messages = [{"type": "http.request"}, {"type": "http.request"}]

    async def receive() -> Any:
        return messages.pop()

    async def handler() -> Any:
        await asyncio.Event().wait()

    async def visit() -> None:
        scope = {"type": "http", "method": "GET", "path": "/x", "headers": []}
        await application({**scope, "query_string": b""}, receive, None)

    with answering(handler), pytest.raises(AssertionError, match="Invalid ASGI message"):
        asyncio.run(visit())


def test_a_broken_urlconf_is_djangos_to_tell_of() -> None:
    with override_settings(ROOT_URLCONF="tests.web.no_such_module"):
        application = get_asgi_application()
        with pytest.raises(ModuleNotFoundError):
            ask(application)


def test_other_connections_are_refused_as_django_refuses_them(application: Any) -> None:
    with pytest.raises(ValueError, match="only handle ASGI/HTTP"):
        ask(application, type="websocket")
