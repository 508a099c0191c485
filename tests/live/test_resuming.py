"""Clients that lose their connection again and again, while several write, commit late, or fail."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

import pytest
from django.db import OperationalError, connections, transaction

from motia_django import Stream
from motia_django.live import hub as hub_module
from motia_django.live import log
from motia_django.live.following import Following
from motia_django.live.positions import Position
from motia_django.models import StreamEvent
from tests.live.following import GROUP, Client, anybody, away

WRITERS = 3
WRITES = 25
CLIENTS = 4
pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(autouse=True)
def quickly_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "_LINGER", 0.0)
    monkeypatch.setattr(hub_module, "_BENEATH", 0.05)


class Undone(Exception):
    """Rolls a transaction back."""


def write(writer: int, chance: random.Random, number: int) -> None:
    """Write one or two items, or send something; now and then late, now and then in vain."""
    orders = Stream("orders")
    try:
        with transaction.atomic(using=log.database()):
            name = f"{writer}.{chance.randrange(4)}"  # each writer's own: no deadlocks here
            action = chance.random()
            if action < 0.2:
                orders.delete("g", name)
            elif action < 0.4:
                orders.send("g", "said", {"n": number}, item=chance.choice([name, None]))
            else:
                orders.set("g", name, {"n": number})
            if chance.random() < 0.3 and connections[log.database()].vendor != "sqlite":
                time.sleep(chance.random() * 0.05)
            if chance.random() < 0.2:
                raise Undone
    except (Undone, OperationalError):  # MariaDB's deadlocks are rolled back, too
        pass


def writes(writer: int, seed: int) -> None:
    """Write many times."""
    chance = random.Random(f"{seed} {writer}")
    try:
        for number in range(WRITES):
            write(writer, chance, number)
            time.sleep(chance.random() * 0.02)
    finally:
        connections.close_all()


async def follow(client: Client, chance: random.Random, done: asyncio.Event) -> None:
    """Follow until all is written and heard, cut off at random moments."""
    while True:
        over = done.is_set()
        following = Following(anybody())
        try:
            await following.join(GROUP, since=Position.from_token(client.position or ""))
            until = time.monotonic() + (1.0 if over else chance.random() * 0.2)
            while time.monotonic() < until:
                messages = await following.messages(0.05)
                is_cut = not over and chance.random() < 0.3
                arrived = chance.randrange(len(messages) + 1) if is_cut else len(messages)
                for message in messages[:arrived]:
                    client.take(message)
                if is_cut:
                    break  # what had not arrived by then is never seen
        finally:
            await following.close()
        client._time = 0
        if over:
            return


def expected(since: int) -> list[Any]:
    """Return what the log holds of the group, in its order."""
    rows = StreamEvent.objects.filter(stream="orders", group="g", id__gt=since).order_by("id")
    return [(row.kind, row.data) for row in rows]


@pytest.mark.parametrize("seed", range(3))
def test_whoever_is_cut_off_at_any_moment_hears_each_event_once(seed: int) -> None:
    async def scenario() -> None:
        done = asyncio.Event()
        clients = [Client() for _ in range(CLIENTS)]
        start = await away(log.newest)
        for client in clients:  # all begin before anything is written
            client.position = Position(start).token
        chances = [random.Random(f"{seed} client {number}") for number in range(CLIENTS)]
        followers = [
            asyncio.create_task(follow(client, chance, done))
            for client, chance in zip(clients, chances, strict=True)
        ]
        await asyncio.gather(*(away(writes, number, seed) for number in range(WRITERS)))
        await asyncio.sleep(0.3)
        done.set()
        await asyncio.gather(*followers)
        told = await away(expected, start)
        items = await away(lambda: Stream("orders").list("g"))
        assert len(told) > WRITERS * WRITES * 0.4
        for client in clients:
            assert client.synced == 0
            assert sorted(map(repr, client.heard)) == sorted(map(repr, told))
            assert sorted(client.items.values(), key=lambda each: each["id"]) == items

    asyncio.run(scenario())
