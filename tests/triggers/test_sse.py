"""Server-Sent Events, as they are written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from motia_django import sse
from motia_django.exceptions import PayloadError
from motia_django.triggers.sse import SentEvent, SentEvents


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (sse("a"), "data: a\n\n"),
        (sse(""), "data: \n\n"),
        (sse("a\nb\r\nc\rd\n"), "data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"),
        (sse({"ä": [1, None]}), 'data: {"ä":[1,null]}\n\n'),
        (sse([]), "data: []\n\n"),
        (sse(0), "data: 0\n\n"),
        (sse(False), "data: false\n\n"),
        (sse("a", event="x", id=5, retry=0), "event: x\nid: 5\nretry: 0\ndata: a\n\n"),
        (sse(id=""), "id: \n\n"),
        (sse(event="ping"), "event: ping\ndata: null\n\n"),
        (sse(comment="still\nhere"), ": still\n: here\n\n"),
        (sse(retry=1000), "retry: 1000\n\n"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_an_event_is_written_as_browsers_read_it(event: SentEvent, text: str) -> None:
    assert event.text == text


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"event": "a\nb"}, "sse: event: expected text on one line"),
        ({"id": "a\x00"}, "sse: id: expected text on one line"),
        ({"retry": -1}, "sse: retry: expected milliseconds"),
        ({"retry": True}, "sse: retry: expected milliseconds"),
        ({"retry": "1"}, "sse: retry: expected milliseconds"),
    ],
)
def test_what_would_break_the_stream_is_refused(keys: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        sse("a", **keys)


def test_data_that_is_no_json_is_refused() -> None:
    with pytest.raises(PayloadError):
        sse(object())


async def _asynchronous() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize("parts", [iter([1]), (each for each in [1]), _asynchronous()])
def test_of_an_iterator_it_makes_a_stream(parts: Any) -> None:
    stream = sse(parts)
    assert isinstance(stream, SentEvents)
    assert stream.parts is parts
    with pytest.raises(ValueError, match="event.s own"):
        sse(parts, event="a")
