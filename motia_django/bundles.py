"""Messages to an AMQP broker that go in one piece: framed one by one, written by one call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any

from amqp import spec
from amqp.method_framing import frame_writer
from amqp.serialization import dumps


class _Bundle:
    """Takes messages as a channel does, and keeps their frames until they are written."""

    def __init__(self, channel: Any) -> None:
        self._channel_id = channel.channel_id
        self._frames = bytearray()
        self._add = frame_writer(channel.connection, self)

    def publish(
        self, message: Any, exchange: str = "", routing_key: str = "", **unused: Any
    ) -> None:
        """Add a message: in the place of the channel's `basic_publish`, as kombu calls it."""
        arguments = _arguments(exchange, routing_key)
        self._add(1, self._channel_id, spec.Basic.Publish, arguments, message)

    def write(self, frame: memoryview) -> None:
        """Keep a frame: py-amqp takes this for its transport."""
        self._frames += frame

    def write_to(self, transport: Any) -> None:
        """Write all that was added."""
        transport.write(self._frames)


@contextmanager
def bundled(channel: Any) -> Iterator[None]:
    """Hold back what the block publishes through a channel of py-amqp, and write it at its end.

    If the block raises nothing is written. What the broker has to say, such as that it closes the
    connection, is heard once before that, where py-amqp listens for each message.
    """
    bundle = _Bundle(channel)
    channel.basic_publish = bundle.publish
    try:
        yield
    finally:
        del channel.basic_publish
    with suppress(TimeoutError):  # it has nothing to say
        channel.connection.drain_events(timeout=0)
    bundle.write_to(channel.connection.transport)


@lru_cache(maxsize=1024)
def _arguments(exchange: str, routing_key: str) -> bytes:
    """Return what `basic.publish` is told, neither mandatory nor immediate."""
    encoded: bytes = dumps("Bssbb", (0, exchange, routing_key, False, False))
    return encoded
