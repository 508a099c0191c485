"""The door for browsers, as an ASGI server has it."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth.models import AnonymousUser
from django.core.handlers.asgi import ASGIHandler
from django.test import override_settings
from django.utils.decorators import async_only_middleware

from motia_django import Stream
from motia_django.live import hub as hub_module
from motia_django.live.access import Subscription
from motia_django.live.hub import hub
from motia_django.web import asking
from tests.factories import make_stream
from tests.live.following import away
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


def browser(*middleware: str, query: str = "", last_id: str = "") -> Any:
    """Return a browser that is about to follow a group, or what a query asks for."""
    with override_settings(MIDDLEWARE=[f"{__name__}.{each}" for each in middleware]):
        application = ASGIHandler()
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/streams/" if query else "/streams/orders/g/",
        "query_string": query.encode(),
        "headers": [(b"host", b"testserver"), (b"last-event-id", last_id.encode())],
    }
    communicator: Any = ApplicationCommunicator
    return communicator(application, scope)


async def told(query: str, last_id: str, number: int) -> tuple[list[tuple[str, str]], str]:
    """Follow until so many messages came, then go; return their kinds and groups, and the id."""
    follows = browser(query=query, last_id=last_id)
    await follows.send_input({"type": "http.request"})
    assert (await follows.receive_output(10))["status"] == 200
    messages: list[tuple[str, str]] = []
    while len(messages) < number:
        body = (await follows.receive_output(10)).get("body", b"").decode()
        for line in body.splitlines():
            if line.startswith("id: "):
                last_id = line.removeprefix("id: ")
            if line.startswith("data: "):
                frame = json.loads(line.removeprefix("data: "))
                messages.append((frame["event"]["type"], frame["groupId"]))
    await follows.send_input({"type": "http.disconnect"})
    await follows.wait(10)
    return messages, last_id


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


def test_who_is_refused_when_he_resumes_and_admitted_later_is_told_how_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub_module, "_LINGER", 0.0)
    groups = [f"g{number}" for number in range(60)]
    query = "&".join(f"follow=orders/{each}" for each in groups)
    shut: set[str] = set()

    def can_access(subscription: Any) -> bool:
        return subscription.group_id not in shut

    def all_as(*kinds: tuple[str, str]) -> list[tuple[str, str]]:
        return [*kinds, *(("sync", each) for each in groups if ("unauthorized", each) not in kinds)]

    async def scenario() -> None:
        everything, last_id = await told(query, "", 60)
        assert everything == all_as()
        shut.update(["g3", "g7", "g59"])
        refused = [("unauthorized", each) for each in ("g3", "g7", "g59")]
        for _ in range(2):  # refused twice
            said, last_id = await told(query, last_id, 3)
            assert said == refused
            assert last_id.partition("@")[0].endswith(f"!{1 << 3 | 1 << 7 | 1 << 59:x}")
        await away(lambda: Stream("orders").set("g7", "x", {}))
        shut.remove("g7")
        said, last_id = await told(query, last_id, 60)
        assert said == all_as(*(each for each in refused if each[1] != "g7"))
        shut.clear()
        said, last_id = await told(query, last_id, 60)
        assert said == all_as()
        await away(lambda: Stream("orders").set("g7", "x", {}))
        assert (await told(query, last_id, 1))[0] == [("update", "g7")]
        await until(lambda: not is_used())

    with serving_streams(make_stream("orders", canAccess=can_access)):
        asyncio.run(scenario())


def marked(last_id: str) -> str:
    """Return the bits of what was refused."""
    return last_id.partition("@")[0].partition("!")[2]


def test_who_is_cut_off_between_a_refusal_and_how_the_rest_is_is_told_both_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub_module, "_LINGER", 0.0)
    query = "follow=orders/a&follow=orders/b"
    shut: set[str] = set()

    async def scenario() -> None:
        last_id = (await told(query, "", 2))[1]
        shut.add("a")
        said, last_id = await told(query, last_id, 1)
        assert (said, marked(last_id)) == ([("unauthorized", "a")], "1")
        shut.clear()
        shut.add("b")
        one, other = (Subscription.checked("orders", each) for each in "ab")
        refused_only = asking.Ids([one, other], AnonymousUser(), last_id)
        refused_only.begin([one])
        assert marked(refused_only.of(None, frozenset())) == "3"
        shut.clear()
        shut.add("a")
        said, _ = await told(query, refused_only.of(None, frozenset()), 2)
        assert said == [("unauthorized", "a"), ("sync", "b")]
        await until(lambda: not is_used())

    def can_access(subscription: Any) -> bool:
        return subscription.group_id not in shut

    with serving_streams(make_stream("orders", canAccess=can_access)):
        asyncio.run(scenario())
