"""It cannot be said for a while whether somebody may follow: nothing is shown, and asked again."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.core.exceptions import PermissionDenied
from django.core.handlers.asgi import ASGIHandler

from motia_django import Stream, disconnect
from motia_django.live import access, log
from motia_django.live import following as following_module
from motia_django.live import hub as hub_module
from motia_django.live.access import Subscription
from motia_django.live.following import Dismissed, Following
from motia_django.live.frames import Message
from motia_django.live.positions import Position
from motia_django.web import event_stream
from motia_django.web.websocket import StreamSocket
from tests.factories import make_stream
from tests.live.following import GROUP, anybody, away, hear, nothing_more, somebody, told
from tests.web.serving import serving_streams

pytestmark = pytest.mark.usefixtures("database")
FLAKY = Subscription.checked("flaky", "g")


class Doorkeeper:
    """What a project asks: it fails while its server is away."""

    def __init__(self) -> None:
        self.error: Exception | None = ConnectionError("away")
        self.admits = True
        self.asked = 0
        self.left = 0

    def can_access(self, subscription: Any) -> bool:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return self.admits

    def on_leave(self) -> None:
        self.left += 1


@pytest.fixture(params=["canAccess", "onJoin"])
def asked(request: pytest.FixtureRequest) -> str:
    """Return which of both it is that fails."""
    return str(request.param)


@pytest.fixture
def keeper(monkeypatch: pytest.MonkeyPatch, database: str, asked: str) -> Iterator[Doorkeeper]:
    monkeypatch.setattr(hub_module, "_LINGER", 0.0)
    monkeypatch.setattr(hub_module, "_BENEATH", 0.1)
    monkeypatch.setattr(following_module, "_FIRST_PAUSE", 0.1)
    monkeypatch.setattr(following_module, "_LONGEST_PAUSE", 0.4)
    monkeypatch.setattr(event_stream, "HEARTBEAT", 0.3)
    monkeypatch.setattr(access, "_failed_at", {})
    keeper = Doorkeeper()
    flaky = make_stream("flaky", onLeave=keeper.on_leave, **{asked: keeper.can_access})
    with serving_streams(make_stream("orders"), flaky):
        yield keeper


ONLY_CAN_ACCESS = pytest.mark.parametrize("asked", ["canAccess"], indirect=True)
SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def put(stream: str, name: str) -> None:
    Stream(stream).set("g", name, {})


async def told_of(following: Following, number: int = 1) -> list[tuple[str, str]]:
    """Return the streams and kinds of so many messages."""
    frames = [json.loads(each.text) for each in await hear(following, number)]
    return [(each["streamName"], each["event"]["type"]) for each in frames]


def test_what_is_undecided_is_shown_once_it_is_decided_and_all_else_meanwhile(
    keeper: Doorkeeper,
) -> None:
    async def scenario() -> None:
        await away(put, "flaky", "a")
        following = Following(anybody())
        assert await following.join(GROUP, FLAKY) == [GROUP]
        assert await told_of(following) == [("orders", "sync")]
        for stream in ("flaky", "orders"):
            await away(put, stream, "b")
        assert await told_of(following) == [("orders", "create")]
        await nothing_more(following, 1.0)
        keeper.error = None
        [sync] = await hear(following)
        assert told(sync) == ("sync", [{"id": "a"}, {"id": "b"}])
        for stream in ("flaky", "orders"):
            await away(put, stream, "b")
        assert sorted(await told_of(following, 2)) == [("flaky", "update"), ("orders", "update")]
        assert (following.undecided, keeper.left) == ([], 0)
        asked = keeper.asked
        await nothing_more(following, 1.0)
        assert keeper.asked == asked
        await following.close()
        assert keeper.left == 1

    asyncio.run(scenario())


@SQLITE
def test_who_is_refused_in_the_end_is_told_so_then(keeper: Doorkeeper) -> None:
    async def scenario() -> None:
        following = Following(anybody())
        assert await following.join(FLAKY) == []
        await nothing_more(following)
        keeper.admits, keeper.error = False, None
        assert await told_of(following) == [("flaky", "unauthorized")]
        asked = keeper.asked
        await nothing_more(following, 1.0)
        assert keeper.asked == asked
        await following.close()
        assert keeper.left == 0

    asyncio.run(scenario())


@SQLITE
@ONLY_CAN_ACCESS
def test_who_is_never_decided_is_asked_about_ever_more_seldom_and_the_log_told_once(
    keeper: Doorkeeper, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logging.getLogger("motia.streams"), "propagate", True)

    async def scenario() -> None:
        followings = [Following(anybody()) for _ in range(3)]
        for each in followings:
            await each.join(FLAKY)
        await nothing_more(followings[0], 2.0)
        assert 6 < keeper.asked < 3 * (2.0 / 0.1)
        assert caplog.text.count("can_access of stream 'flaky' failed") == 1
        keeper.error = RuntimeError("another")
        while caplog.text.count("can_access of stream 'flaky' failed") < 2:
            await asyncio.sleep(0.05)
        await followings[0].leave(FLAKY)
        for each in followings[1:]:
            await each.close()
        await asyncio.sleep(0.5)
        asked = keeper.asked
        await nothing_more(followings[0], 1.0)
        assert keeper.asked == asked
        await followings[0].close()

    asyncio.run(scenario())


@SQLITE
@ONLY_CAN_ACCESS
def test_who_is_disconnected_while_nothing_is_decided_is_cut_off(keeper: Doorkeeper) -> None:
    async def scenario() -> None:
        following = Following(somebody(7))
        await following.join(FLAKY)
        await asyncio.sleep(0.5)
        await away(disconnect, somebody(7).user)
        with pytest.raises(Dismissed):
            await following.messages(20)
        keeper.error = None
        asked = keeper.asked
        await asyncio.sleep(1.0)
        assert keeper.asked == asked
        await following.close()

    asyncio.run(scenario())


def write_for_long(until: Callable[[], bool]) -> None:
    """Write both streams until something has happened, and some more."""
    number = left = 0
    while left < 10:
        for stream in ("orders", "flaky"):
            Stream(stream).set("g", str(number % 3), {"n": number})
        number, left = number + 1, left + until()
        time.sleep(0.01)


async def resumed(heard: list[Message]) -> list[str]:
    """Return all that a page is told that lost its connection after these, and came back."""
    last = next((each for each in reversed(heard) if each.position), None)
    following = Following(anybody())
    lacked = [] if last is None else [each for each in (GROUP, FLAKY) if each not in last.joined]
    since = None if last is None else Position.from_token(last.position or "")
    await following.join(GROUP, FLAKY, since=since, lacked=lacked)
    later = await following.messages(1.0)
    await following.close()
    return [each.text.partition(",")[2].partition(",")[2] for each in (*heard, *later)]


@ONLY_CAN_ACCESS
def test_whoever_is_cut_off_around_a_late_admission_resumes_with_nothing_lost_or_told_twice(
    keeper: Doorkeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = log.after

    def slowly(*asked: Any) -> Any:
        time.sleep(0.1)  # what is shown is ahead of what is heard
        return read(*asked)

    monkeypatch.setattr(log, "after", slowly)

    async def scenario() -> None:
        following, heard = Following(anybody()), list[Message]()
        await following.join(GROUP, FLAKY)
        writer = asyncio.create_task(away(write_for_long, lambda: not following.undecided))
        while not writer.done():
            heard += await following.messages(0.2)
            if len(heard) > 10:
                keeper.error = None
        heard += await following.messages(1.0)
        await following.close()
        began = next(n for n, each in enumerate(heard) if "flaky" in each.text)
        assert heard[-1].joined == {GROUP, FLAKY}
        for cut in range(began - 3, min(began + 12, len(heard))):
            texts = await resumed(heard[:cut])
            for stream in ("orders", "flaky"):
                check(stream, [each for each in texts if f'"streamName":"{stream}"' in each])

    def check(stream: str, texts: list[str]) -> None:
        last_sync = max(n for n, each in enumerate(texts) if '"sync"' in each)
        numbers = [json.loads(each.split('"event":')[1][:-1])["data"] for each in texts]
        first = max((each["n"] for each in numbers[last_sync]), default=-1)
        after = [each["n"] for each in numbers[last_sync + 1 :]]
        assert after == list(range(first + 1, first + 1 + len(after)))
        assert after or first >= 0
        ends.add((stream, after[-1] if after else first))

    ends: set[tuple[str, int]] = set()
    asyncio.run(scenario())
    assert len(ends) == 2, ends


class Browser:
    """A page at a door, which goes when it has heard enough."""

    def __init__(self, query: str, last_id: str = "", accept: str = "text/event-stream") -> None:
        names = {b"host": b"testserver", b"last-event-id": last_id.encode()}
        headers = [*names.items(), (b"accept", accept.encode())]
        scope = {"type": "http", "method": "GET", "path": "/streams/", "headers": headers}
        communicator: Any = ApplicationCommunicator
        self.last_id = last_id
        self._connection = communicator(ASGIHandler(), {**scope, "query_string": query.encode()})

    async def begin(self) -> dict[str, Any]:
        await self._connection.send_input({"type": "http.request"})
        start: dict[str, Any] = await self._connection.receive_output(10)
        return start

    async def body(self) -> str:
        body: str = (await self._connection.receive_output(10)).get("body", b"").decode()
        for line in body.splitlines():
            if line.startswith("id: "):
                self.last_id = line.removeprefix("id: ")
        return body

    async def hear(self, text: str) -> str:
        async with asyncio.timeout(10):
            while text not in (body := await self.body()):
                pass
        return body

    async def leave(self) -> None:
        await self._connection.send_input({"type": "http.disconnect"})
        await self._connection.wait(10)


def test_a_page_is_told_later_and_resumes_from_what_it_has(keeper: Doorkeeper) -> None:
    both = "follow=flaky/g&follow=orders/g"

    async def scenario() -> None:
        page = Browser(both)
        assert (await page.begin())["status"] == 200
        assert "flaky" not in await page.hear("sync")
        assert page.last_id.partition("@")[0].endswith("!1")
        await page.leave()
        page = Browser(both, page.last_id)
        assert (await page.begin())["status"] == 200
        keeper.error = None
        sync = await page.hear("sync")
        assert "orders" not in sync
        assert "unauthorized" not in sync
        await page.hear("id: ")
        assert "!" not in page.last_id
        await page.leave()
        page = Browser(both, page.last_id)
        await page.begin()
        await away(put, "flaky", "a")
        assert "sync" not in await page.hear("flaky")
        await page.leave()

    asyncio.run(scenario())


@SQLITE
def test_a_page_that_follows_nothing_else_is_asked_to_come_back(keeper: Doorkeeper) -> None:
    async def scenario() -> None:
        alone = "follow=flaky/g"
        page = Browser(alone)
        assert (await page.begin())["status"] == 200  # any other status ends an EventSource
        assert await page.body() == "retry: 5000\n\n"
        await page.leave()
        fetched = Browser(alone, accept="*/*")
        start = await fetched.begin()
        assert start["status"] == 503
        assert (b"Retry-After", b"5") in start["headers"]
        await fetched.leave()
        keeper.error = PermissionDenied()
        refused = Browser(alone)
        assert (await refused.begin())["status"] in (401, 403)
        await refused.leave()

    asyncio.run(scenario())


@SQLITE
def test_a_websocket_that_joins_is_told_later(keeper: Doorkeeper) -> None:
    async def scenario() -> None:
        handshake = {"type": "websocket", "path": "/", "headers": [(b"host", b"testserver")]}
        communicator: Any = ApplicationCommunicator
        client = communicator(StreamSocket.as_asgi(), handshake)
        await client.send_input({"type": "websocket.connect"})
        assert (await client.receive_output(10))["type"] == "websocket.accept"
        data = {"streamName": "flaky", "groupId": "g"}

        async def say(kind: str, name: str) -> None:
            text = json.dumps({"type": kind, "data": {**data, "subscriptionId": name}})
            await client.send_input({"type": "websocket.receive", "text": text})

        await say("join", "1")
        await say("join", "2")
        await say("leave", "1")
        assert await client.receive_nothing(1.0)
        keeper.error = None
        assert '"sync"' in (await client.receive_output(10))["text"]
        assert await client.receive_nothing(1.0)
        await say("leave", "2")
        while not keeper.left:
            await asyncio.sleep(0.05)
        await client.send_input({"type": "websocket.disconnect", "code": 1005})
        await client.wait(10)
        assert keeper.left == 1

    asyncio.run(scenario())
