"""Server-Sent Events, as a handler writes them.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, overload

from motia_django import payloads

CONTENT_TYPE = "text/event-stream; charset=utf-8"
HEADERS: Mapping[str, str] = {
    "Content-Type": CONTENT_TYPE,
    "Cache-Control": "no-store, no-cache, private, no-transform",
    "Content-Encoding": "identity",
    "X-Accel-Buffering": "no",
}
"""What keeps proxies, and middleware that compresses, from holding events back."""

_LINES = re.compile("\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class SentEvent:
    """One event, as it is written: `sse(...)` makes it."""

    text: str


@dataclass(frozen=True, slots=True)
class SentEvents:
    """A stream all of whose parts are events: `sse(generator)` makes it."""

    parts: Iterator[Any] | AsyncIterator[Any]


@overload
def sse(data: Iterator[Any] | AsyncIterator[Any]) -> SentEvents: ...
@overload
def sse(
    data: Any = None,
    *,
    event: str | None = None,
    id: str | int | None = None,
    retry: int | None = None,
    comment: str | None = None,
) -> SentEvent: ...
def sse(
    data: Any = None,
    *,
    event: str | None = None,
    id: str | int | None = None,
    retry: int | None = None,
    comment: str | None = None,
) -> SentEvent | SentEvents:
    """Make one Server-Sent Event to be yielded, or of a generator a stream of them.

    `data` is sent as it is if it is text, else as JSON. `event` is its type, `id` what a browser
    that comes back sends as `Last-Event-ID`, `retry` the milliseconds after which it does, and
    `comment` a text that no script hears, to keep a silent connection open. Of a generator each
    part that is no event yet becomes the data of one. Raise `ValueError` for an `event` or `id` of
    more than one line, and `PayloadError` for data that is no JSON.
    """
    if isinstance(data, Iterator | AsyncIterator):
        if any(each is not None for each in (event, id, retry, comment)):
            raise ValueError(
                "sse: of a generator, event, id, retry and comment are each event's own"
            )
        return SentEvents(data)
    lines = [f": {line}" for line in _lines(comment)]
    lines += [_field("event", event), _field("id", id), _field("retry", _milliseconds(retry))]
    if data is not None or event is not None:
        lines += [f"data: {line}" for line in _lines(_text(data))]
    return SentEvent("".join(f"{line}\n" for line in lines if line) + "\n")


def _text(data: Any) -> str:
    return data if isinstance(data, str) else payloads.dumps(data)


def _lines(text: str | None) -> list[str]:
    return [] if text is None else _LINES.split(text)


def _field(name: str, value: str | int | None) -> str:
    if value is None:
        return ""
    if any(character in str(value) for character in "\r\n\x00"):
        raise ValueError(f"sse: {name}: expected text on one line, got {value!r:.100}")
    return f"{name}: {value}"


def _milliseconds(value: int | None) -> int | None:
    is_number = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if value is not None and not is_number:
        raise ValueError(f"sse: retry: expected milliseconds as a whole number, got {value!r:.100}")
    return value
