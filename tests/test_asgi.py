from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.core.asgi import get_asgi_application

from motia_django.asgi import with_streams


def connects(application: Any, path: str, **scope: Any) -> bool:
    """Return whether a WebSocket at this path is accepted."""

    async def connect() -> bool:
        handshake = {"type": "websocket", "path": path, "headers": [(b"host", b"testserver")]}
        communicator: Any = ApplicationCommunicator
        socket = communicator(application, {**handshake, **scope})
        await socket.send_input({"type": "websocket.connect"})
        answer = await socket.receive_output(10)
        await socket.send_input({"type": "websocket.disconnect", "code": 1005})
        await socket.wait(10)
        return bool(answer["type"] == "websocket.accept")

    return asyncio.run(connect())


async def inner(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept", "subprotocol": "inner"})
    await receive()


def test_streams_are_served_at_any_path_or_at_the_one_that_is_named() -> None:
    assert connects(with_streams(get_asgi_application()), "/what/ever")
    named = with_streams(get_asgi_application(), "/live/")
    assert connects(named, "/live/")
    assert connects(named, "/live")
    assert connects(named, "/mounted/live/", root_path="/mounted")
    assert not connects(named, "/")
    assert not connects(named, "/live/more/")


def test_other_websockets_of_the_project_go_on_to_it() -> None:
    assert connects(with_streams(inner, "live"), "/chat/")


WITHOUT_CHANNELS = """
import sys
sys.modules["channels"] = None
import sample_project.settings, django
django.setup()
import motia_django.urls
from motia_django.asgi import with_streams
try:
    with_streams(print)
except ImportError as error:
    print(error)
"""


def test_without_channels_all_else_works_and_the_error_says_what_to_install() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_CHANNELS], capture_output=True, text=True, timeout=60
    )
    assert "pip install 'motia-django[websocket]'" in done.stdout, done.stderr


@pytest.mark.parametrize("kind", ["http", "lifespan"])
def test_whatever_is_no_websocket_goes_on(kind: str) -> None:
    seen = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    async def call() -> None:
        await with_streams(application)({"type": kind}, None, None)

    asyncio.run(call())
    assert seen == [kind]


WITHOUT_THE_APP = """
from django.conf import settings
settings.configure(ROOT_URLCONF="tests")
from motia_django.{kind} import get_{kind}_application
get_{kind}_application()
"""


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_a_project_without_the_app_is_told_so(kind: str) -> None:
    code = WITHOUT_THE_APP.format(kind=kind)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert '"motia_django" is not in INSTALLED_APPS. Add it, or import' in done.stderr
