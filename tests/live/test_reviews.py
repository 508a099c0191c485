"""Who is deactivated, deleted or has another password is no longer told of streams, by himself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth.models import AnonymousUser, User
from django.core.handlers.asgi import ASGIHandler
from django.db import OperationalError

from motia_django import Stream, stream_token
from motia_django.live import hub as hub_module
from motia_django.live import reviews
from motia_django.live.hub import hub
from motia_django.live.reviews import standing_of, standings
from tests.factories import make_stream
from tests.live.following import away
from tests.web.serving import serving_streams

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def orders(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[None]:
    monkeypatch.setattr(hub_module, "_LINGER", 0.0)
    monkeypatch.setattr(hub_module, "_BENEATH", 0.1)
    settings.MOTIA = {"STREAMS": {"RECHECK": 0.2, "WAKE": "poll"}}
    with serving_streams(make_stream("orders")):
        yield
    thread = hub()._thread
    if thread is not None:
        thread.join(20)


class Browser:
    """A connection to the group `g`."""

    def __init__(self, token: str) -> None:
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/streams/orders/g/",
            "query_string": f"token={token}".encode(),
            "headers": [(b"host", b"testserver")],
        }
        communicator: Any = ApplicationCommunicator
        self._connection = communicator(ASGIHandler(), scope)

    async def begin(self) -> None:
        """Follow, until it is told how things are."""
        await self._connection.send_input({"type": "http.request"})
        assert (await self._connection.receive_output(10))["status"] == 200
        await self.hear("sync")

    async def hear(self, kind: str) -> None:
        """Wait for such an event."""
        body = b""
        while f'"type":"{kind}"'.encode() not in body:
            body = (await self._connection.receive_output(10))["body"]

    async def is_ended(self) -> bool:
        """Return whether the server ends it."""
        while (await self._connection.receive_output(10)).get("more_body"):
            pass
        await self._connection.wait(10)
        return True

    async def leave(self) -> None:
        """Go away."""
        await self._connection.send_input({"type": "http.disconnect"})
        await self._connection.wait(10)


def deactivate(name: str) -> None:
    """Do it as no signal tells of."""
    User.objects.filter(username=name).update(is_active=False)


def change_password(name: str) -> None:
    user = User.objects.get(username=name)
    user.set_password("another")
    user.save()


def delete(name: str) -> None:
    User.objects.filter(username=name).delete()


def rename(name: str) -> None:
    User.objects.filter(username=name).update(first_name="Ada", last_login="2026-01-01T00:00Z")


@pytest.mark.parametrize("do", [deactivate, change_password, delete])
def test_who_is_not_who_he_was_is_cut_off_and_nobody_else(do: Callable[[str], None]) -> None:
    tokens = [stream_token(User.objects.create_user(name)) for name in ("ada", "bob")]

    async def scenario() -> None:
        ada, bob, nobody = (Browser(token) for token in [*tokens, ""])
        for each in (ada, bob, nobody):
            await each.begin()
        await away(rename, "bob")
        await away(do, "ada")
        assert await ada.is_ended()
        await asyncio.sleep(0.5)  # looked at again
        await away(lambda: Stream("orders").set("g", "x", {}))
        for each in (bob, nobody):
            await each.hear("create")
            await each.leave()

    asyncio.run(scenario())


def test_while_the_users_cannot_be_looked_at_nobody_is_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    token = stream_token(User.objects.create_user("ada"))
    failed: list[object] = []

    def fails(keys: Any) -> Any:
        failed.append(keys)
        if len(failed) < 3:
            raise OperationalError("away")
        return standings(keys)

    async def scenario() -> None:
        ada = Browser(token)
        await ada.begin()
        while len(failed) < 2:
            await asyncio.sleep(0.05)
        await away(lambda: Stream("orders").set("g", "x", {}))
        await ada.hear("create")
        await away(deactivate, "ada")
        assert await ada.is_ended()

    monkeypatch.setattr(reviews, "standings", fails)
    asyncio.run(scenario())


def test_nobody_is_looked_at_who_is_no_user_of_the_project_or_has_left() -> None:
    for user in (AnonymousUser(), User(), User(pk=7), SimpleNamespace(pk=7, is_active=True), None):
        assert standing_of(user) is None
    token = stream_token(User.objects.create_user("ada"))

    async def scenario() -> None:
        ada = Browser(token)
        await ada.begin()
        [relay] = hub()._relays.values()
        assert relay.reviews._known
        await ada.leave()
        async with asyncio.timeout(10):
            while relay.reviews._known:
                await asyncio.sleep(0.05)
        assert relay.reviews._task is None

    asyncio.run(scenario())


def test_many_are_asked_for_by_few_queries(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    monkeypatch.setattr(reviews, "_AT_ONCE", 2)
    users = [User.objects.create_user(name) for name in "abcde"]
    with django_assert_num_queries(3):
        found = standings([*(user.pk for user in users), 0])
    assert found == {user.pk: standing_of(user) for user in users}
