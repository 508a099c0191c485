"""Pictures that many wait for: taken once, and for nobody who asks too late."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from motia_django import Stream
from motia_django.live import hub as hub_module
from motia_django.live import log, pictures
from motia_django.live.access import Subscription
from motia_django.live.following import Following
from motia_django.live.pictures import Camera, Picture, picture
from motia_django.live.positions import Position
from tests.factories import installed, make_stream
from tests.live.following import GROUP, PATIENCE, Client, anybody, away, item

HERD = 40
WRITES = 60
START = Position()


class Shutter:
    """Stands in for the taking of pictures: slow, and counted."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.begun = threading.Event()
        self.let_go = threading.Event()

    def picture(self, subscriptions: Sequence[Any], base: Position, since: Any) -> Picture:
        """Take a picture when it may."""
        self.taken.append(subscriptions)
        self.begun.set()
        assert self.let_go.wait(PATIENCE)
        return Picture([], base)


@pytest.fixture
def shutter(monkeypatch: pytest.MonkeyPatch) -> Shutter:
    shutter = Shutter()
    monkeypatch.setattr(pictures, "picture", shutter.picture)
    return shutter


def held(shot: Picture, number: int = 0) -> list[str]:
    """Return the ids of the items in one of a picture's frames."""
    event = json.loads(shot.frames[number][0].at("0"))["event"]
    assert event["type"] == "sync"
    return [each["id"] for each in event["data"]]


@pytest.mark.usefixtures("database")
def test_a_group_is_told_by_what_was_written_last_if_it_is_limited() -> None:
    orders = Stream("orders")
    for name in "cabd":
        orders.set("g", name, {})
        orders.set("other", name, {})
    orders.set("g", "c", {"n": 2})
    two, nine = (Subscription.checked("orders", "g", limit=each) for each in (2, 9))
    whole, one = Subscription.checked("orders", "other"), item("a")
    shot = picture([two, whole, nine, replace(one, limit=1)], START)
    assert held(shot, 0) == ["c", "d"]
    assert held(shot, 1) == held(shot, 2) == ["a", "b", "c", "d"]
    assert json.loads(shot.frames[3][0].at("0"))["event"]["data"] == {"id": "a"}
    with installed(streams=[make_stream("orders", limit=3)]):
        assert held(picture([GROUP], START)) == held(picture([nine], START)) == ["b", "c", "d"]
        assert held(picture([two], START)) == ["c", "d"]
    orders.delete("g", "d")
    assert held(picture([two], START)) == ["b", "c"]


def test_who_asks_before_it_is_begun_shares_it(shutter: Shutter) -> None:
    async def scenario() -> None:
        camera = Camera()
        shutter.let_go.set()
        asked = [camera.picture([GROUP], START, None) for _ in range(3)]
        other = camera.picture([item("a")], START, None)
        resumed = camera.picture([GROUP], START, Position(1))
        first, second, third, *_ = await asyncio.gather(*asked, other, resumed)
        assert first is second is third
        assert len(shutter.taken) == 3

    asyncio.run(scenario())


def test_who_asks_once_it_is_begun_gets_a_newer_one(shutter: Shutter) -> None:
    async def scenario() -> None:
        camera = Camera()
        early = asyncio.ensure_future(camera.picture([GROUP], START, None))
        await asyncio.to_thread(shutter.begun.wait, PATIENCE)
        late = asyncio.ensure_future(camera.picture([GROUP], START, None))
        await asyncio.sleep(0)
        shutter.let_go.set()
        assert await early is not await late

    asyncio.run(scenario())


def test_who_gives_up_takes_it_from_nobody(shutter: Shutter) -> None:
    async def scenario() -> None:
        camera = Camera()
        early, late = (
            asyncio.ensure_future(camera.picture([GROUP], START, None)) for _ in range(2)
        )
        await asyncio.to_thread(shutter.begun.wait, PATIENCE)
        early.cancel()
        shutter.let_go.set()
        assert isinstance(await late, Picture)
        assert len(shutter.taken) == 1

    asyncio.run(scenario())


def test_a_herd_that_comes_while_others_write_ends_up_with_the_same(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "_LINGER", 0.0)
    monkeypatch.setattr(hub_module, "_BENEATH", 0.05)

    def write() -> None:
        for number in range(WRITES):
            Stream("orders").set("g", str(number % 7), {"n": number})

    async def follow(number: int, written: asyncio.Event) -> Client:
        client = Client()
        following = Following(anybody())
        await asyncio.sleep(number % 4 * 0.02)
        try:
            await following.join(GROUP)
            while (messages := await following.messages(0.5)) or not written.is_set():
                for message in messages:
                    client.take(message)
        finally:
            await following.close()
        return client

    async def scenario() -> None:
        written = asyncio.Event()
        herd = [asyncio.create_task(follow(number, written)) for number in range(HERD)]
        await away(write)
        written.set()
        clients = await asyncio.gather(*herd)
        items = await away(lambda: Stream("orders").list("g"))
        newest = await away(log.newest)
        for client in clients:
            assert client.synced == 1
            assert sorted(client.items.values(), key=lambda each: each["id"]) == items
            assert client.position == str(newest)

    asyncio.run(scenario())
