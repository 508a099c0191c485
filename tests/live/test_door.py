"""The door for browsers, as an ASGI server has it."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.core.handlers.asgi import ASGIHandler
from django.test import override_settings
from django.utils.decorators import async_only_middleware

from motia_django.live import hub as hub_module
from motia_django.live.hub import hub
from tests.factories import make_stream
from tests.web.serving import serving_streams

pytestmark = pytest.mark.usefixtures("database")
GetResponse = Callable[[Any], Awaitable[Any]]


@async_only_middleware
def dawdles(get_response: GetResponse) -> GetResponse:
    """Take its time on the way out."""

    async def middleware(request: Any) -> Any:
        response = await get_response(request)
        await asyncio.sleep(0.5)
        return response

    return middleware


@async_only_middleware
def fails(get_response: GetResponse) -> GetResponse:
    """Fail on the way out, as what reads the content of a stream does."""

    async def middleware(request: Any) -> Any:
        return (await get_response(request)).content

    return middleware


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    monkeypatch.setattr(hub_module, "_LINGER", 0.0)
    said: list[str] = []

    def on_join() -> None:
        said.append("join")

    def on_leave() -> None:
        said.append("leave")

    with serving_streams(make_stream("orders", onJoin=on_join, onLeave=on_leave)):
        yield said


def browser(*middleware: str) -> Any:
    """Return a browser that is about to follow a group."""
    with override_settings(MIDDLEWARE=[f"{__name__}.{each}" for each in middleware]):
        application = ASGIHandler()
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/streams/orders/g/",
        "query_string": b"",
        "headers": [(b"host", b"testserver")],
    }
    communicator: Any = ApplicationCommunicator
    return communicator(application, scope)


def is_used() -> bool:
    """Return whether anybody follows."""
    return any(relay.users for relay in hub()._relays.values())


async def until(done: Callable[[], bool]) -> None:
    """Wait for something."""
    async with asyncio.timeout(10):
        while not done():
            await asyncio.sleep(0.05)
            gc.collect()


def test_who_goes_before_anything_was_sent_has_left(calls: list[str]) -> None:
    async def scenario() -> None:
        goes = browser("dawdles")
        await goes.send_input({"type": "http.request"})
        await until(lambda: calls == ["join"])
        await goes.send_input({"type": "http.disconnect"})
        await goes.wait(10)
        await until(lambda: calls == ["join", "leave"] and not is_used())

    asyncio.run(scenario())


def test_a_stream_that_middleware_fails_on_is_left(
    calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # pytest would keep what is logged, and the stream with it.
    monkeypatch.setattr(logging.getLogger("django.request"), "disabled", True)

    async def scenario() -> None:
        fails_on = browser("fails")
        await fails_on.send_input({"type": "http.request"})
        assert (await fails_on.receive_output(10))["status"] == 500
        await fails_on.receive_output(10)
        await fails_on.wait(10)
        await until(lambda: calls == ["join", "leave"] and not is_used())

    asyncio.run(scenario())
