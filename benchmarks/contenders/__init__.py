"""Who is measured by `benchmarks.streams`: each has a project of its own, in a folder here.

Such a folder holds `settings`, and `writer` with a function `write(number, sent)`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One way to tell browsers what happens."""

    name: str
    folder: str
    asgi: str
    """The module of the application."""
    path: str
    joined: bytes
    """What the first line, or message, after which a client follows holds."""
    settings: str = "settings"
    wake: str = "redis"
    """What wakes the web process up: redis, postgresql or poll."""
    hello: str | None = None
    """What a client says first, on a WebSocket; None for Server-Sent Events."""
    needs: tuple[str, ...] = ()
    """The packages that are not there without the extra `bench`."""

    @property
    def missing(self) -> list[str]:
        """Return the packages that are not installed."""
        return [each for each in self.needs if find_spec(each) is None]


_MOTIA = Contender(
    name="motia_django, SSE",
    folder="motia",
    asgi="sample_project.asgi",
    path="/streams/orders/board/",
    joined=b'"type":"sync"',
)
_JOIN = '{"type":"join","data":{"streamName":"orders","groupId":"board","subscriptionId":"1"}}'

_EVENTSTREAM = Contender(
    name="django-eventstream, SSE",
    folder="eventstream",
    asgi="benchmarks.contenders.eventstream.asgi",
    path="/events/",
    joined=b"event: stream-open",
    needs=("django_eventstream",),
)

CONTENDERS = {
    "motia": _MOTIA,
    "motia-notify": replace(_MOTIA, name="- woken by PostgreSQL", wake="postgresql"),
    "motia-poll": replace(_MOTIA, name="- polling each 250 ms", wake="poll"),
    "motia-socket": replace(
        _MOTIA, name="- over WebSocket", path="/", hello=_JOIN, needs=("channels",)
    ),
    "eventstream": _EVENTSTREAM,
    "eventstream-unstored": replace(_EVENTSTREAM, name="- nothing stored", settings="unstored"),
    "channels": Contender(
        name="Channels, WebSocket",
        folder="channels",
        asgi="benchmarks.contenders.channels.asgi",
        path="/",
        joined=b'"joined"',
        hello='"hello"',
        needs=("channels", "channels_redis"),
    ),
}
