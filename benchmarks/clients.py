"""Browsers, as cheap as can be: Server-Sent Events and WebSockets by hand."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator

from benchmarks.contenders import Contender

_HANDSHAKE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
_TEXT, _CLOSE, _PING, _PONG = 0x81, 0x88, 0x89, 0x8A


async def heard(contender: Contender, port: int) -> AsyncIterator[bytes]:
    """Yield each line, or message, that one browser is sent, until the server hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    extra = "" if contender.hello is None else _HANDSHAKE
    request = f"GET {contender.path} HTTP/1.1\r\nHost: localhost\r\n{extra}\r\n"
    writer.write(request.encode())
    try:
        if contender.hello is not None:
            await _shake_hands(reader)
            writer.write(_frame(_TEXT, contender.hello.encode()))
            async for message in _messages(reader, writer):
                yield message
        else:
            while line := await reader.readline():
                yield line
    finally:
        writer.close()


async def _shake_hands(reader: StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 101 " not in head.partition(b"\r\n")[0]:
        raise ConnectionError(head.decode("latin1"))


async def _messages(reader: StreamReader, writer: StreamWriter) -> AsyncIterator[bytes]:
    while True:
        try:
            kind, payload = await _read(reader)
        except asyncio.IncompleteReadError:
            return
        if kind == _PING:
            writer.write(_frame(_PONG, payload))
        elif kind == _CLOSE:
            return
        else:
            yield payload


async def _read(reader: StreamReader) -> tuple[int, bytes]:
    kind, length = await reader.readexactly(2)
    if length > 125:
        length = int.from_bytes(await reader.readexactly(2 if length == 126 else 8), "big")
    return kind, await reader.readexactly(length)


def _frame(kind: int, payload: bytes) -> bytes:
    """Return a short frame as clients write it, masked by zeros."""
    assert len(payload) < 126
    return bytes([kind, 0x80 | len(payload), 0, 0, 0, 0]) + payload
