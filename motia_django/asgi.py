"""For a project's `asgi.py`: Steps answered in one go, and streams over WebSockets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from django.core.handlers.asgi import ASGIHandler

from motia_django.web.setup import set_up

Scope = MutableMapping[str, Any]
Application = Callable[..., Awaitable[None]]
"""An ASGI application, of `(scope, receive, send)`."""


def get_asgi_application() -> ASGIHandler:
    """Return Django's ASGI application, with each request for a Step answered in one go.

        application = get_asgi_application()

    It stands in the place of Django's function of that name. It answers more than twice as many
    requests for Steps, and its threads are kept from one request to the next, with their database
    connections: `CONN_MAX_AGE` counts, as under WSGI.

    Raise `ImproperlyConfigured` if the project is without `motia_django`.
    """
    set_up("asgi")
    from motia_django.web.asgi_handler import AsgiHandler

    return AsgiHandler()


def with_streams(application: Application, path: str | None = None) -> Application:
    """Return an ASGI application that serves streams to WebSockets, and all else as before.

        application = with_streams(get_asgi_application())

    They are served at every path, or only at one such as `"/live/"`; then WebSockets at other paths
    go on to `application`, unless it is Django's, which has none: there they are refused.

    Raise `ImportError` if Channels is not installed.
    """
    socket = _stream_socket()

    async def served(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            await application(scope, receive, send)
        elif path is None or _path(scope) == path.strip("/"):
            await socket(scope, receive, send)
        elif isinstance(application, ASGIHandler):
            await receive()
            await send({"type": "websocket.close"})
        else:
            await application(scope, receive, send)

    return served


def _stream_socket() -> Application:
    try:
        from motia_django.web.websocket import StreamSocket
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "channels":
            raise
        raise ImportError(
            "with_streams: WebSockets are served by Channels, which is not installed. Write"
            " pip install 'motia-django[websocket]'.",
            name="channels",
        ) from error
    return StreamSocket.as_asgi()


def _path(scope: Scope) -> str:
    """Return what is asked for, below where the application is mounted."""
    return str(scope["path"]).removeprefix(scope.get("root_path", "")).strip("/")
