from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.db import OperationalError
from rest_framework.permissions import IsAuthenticated

from motia_django.live import access
from motia_django.live.access import Auth
from motia_django.live.following import Following
from motia_django.live.tokens import stream_token
from motia_django.web import websocket
from motia_django.web.websocket import StreamSocket

JOIN = {"subscriptionId": "1", "streamName": "orders", "groupId": "g"}


def opened(then: Callable[[Any], Awaitable[None]] | None = None, **scope: Any) -> str:
    """Open a WebSocket, do something with it and end it; return what its handshake was told."""

    async def run() -> str:
        handshake = {"type": "websocket", "path": "/", "headers": [(b"host", b"testserver")]}
        communicator: Any = ApplicationCommunicator
        socket = communicator(StreamSocket.as_asgi(), {**handshake, **scope})
        await socket.send_input({"type": "websocket.connect"})
        answer = await socket.receive_output(10)
        if then is not None:
            await then(socket)
        await socket.send_input({"type": "websocket.disconnect", "code": 1005})
        await socket.wait(10)
        return str(answer["type"])

    return asyncio.run(run())


def test_whoever_the_project_admits_is_admitted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert opened() == "websocket.accept"
    monkeypatch.setattr(access.Gate, "permission_classes", [IsAuthenticated])
    assert opened() == "websocket.close"


@pytest.mark.parametrize("error", [OperationalError("away"), TimeoutError(), KeyError("bug")])
def test_nobody_is_admitted_whom_nobody_can_judge(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(request: Any) -> Auth:
        raise error

    monkeypatch.setattr(access, "authenticate", fail)
    assert opened() == "websocket.close"


def test_a_proxys_word_that_it_was_https_is_believed_where_django_believes_it(
    settings: Any,
) -> None:
    headers = [(b"host", b"testserver"), (b"origin", b"https://testserver")]
    assert opened(headers=headers, scheme="ws") == "websocket.close"
    assert opened(headers=headers, scheme="wss") == "websocket.accept"
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    forwarded = [*headers, (b"x-forwarded-proto", b"https")]
    assert opened(headers=forwarded, scheme="ws") == "websocket.accept"


@pytest.mark.parametrize(
    ("error", "code"),
    [(OperationalError("away"), 4013), (TimeoutError(), 4013), (KeyError("bug"), 4011)],
)
def test_a_join_that_fails_ends_the_connection_so_that_its_client_comes_back(
    monkeypatch: pytest.MonkeyPatch, error: Exception, code: int
) -> None:
    async def fail(self: Following, *subscriptions: Any, **options: Any) -> Any:
        raise error

    async def join(socket: Any) -> None:
        text = json.dumps({"type": "join", "data": JOIN})
        await socket.send_input({"type": "websocket.receive", "text": text})
        assert (await socket.receive_output(10))["code"] == code

    monkeypatch.setattr(Following, "join", fail)
    assert opened(join) == "websocket.accept"


def test_a_connection_ends_after_its_time_so_that_its_client_is_judged_again(
    settings: Any,
) -> None:
    async def wait(socket: Any) -> None:
        ended = {"type": "websocket.close", "code": 4001, "reason": "come back, please"}
        assert await socket.receive_output(10) == ended

    settings.MOTIA = {"STREAMS": {"LIFETIME": 0.01}}
    assert opened(wait) == "websocket.accept"


def test_a_client_that_does_not_take_the_end_of_its_connection_is_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def wait() -> None:
        messages = iter([{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "{"}])

        async def receive() -> Any:
            return next(messages, None) or await asyncio.Event().wait()

        async def send(message: Any) -> None:
            if message["type"] == "websocket.close":
                await asyncio.Event().wait()

        handshake = {"type": "websocket", "path": "/", "headers": [(b"host", b"testserver")]}
        async with asyncio.timeout(10):
            await StreamSocket()(handshake, receive, send)

    monkeypatch.setattr(websocket, "FAREWELL", 0.01)
    asyncio.run(wait())


def test_a_token_of_ours_can_be_a_subprotocol() -> None:
    token = stream_token(SimpleNamespace(pk=1))
    assert set(token) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~-")
