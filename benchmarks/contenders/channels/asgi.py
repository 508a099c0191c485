"""WebSockets at every path."""

from __future__ import annotations

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

http = get_asgi_application()

from benchmarks.contenders.channels.consumer import Board  # noqa: E402

application = ProtocolTypeRouter({"http": http, "websocket": Board.as_asgi()})
