"""Malice at the doors of streams: addresses, positions, tokens, and what a WebSocket says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from motia_django import Stream
from motia_django.web import wishes
from motia_django.web.wishes import NotMotia, NotPossible
from tests.factories import make_stream
from tests.security.malice import DIGITS, LONG, REFUSED, TAKEN, TEXTS, by_name, told_nothing
from tests.web.serving import serving_streams

pytestmark = pytest.mark.django_db
JOIN = {"subscriptionId": "1", "streamName": "orders", "groupId": "g"}


TOKENS = ["motia.", "motia.x~y~z", "motia." + LONG, "motia.\x00", *TEXTS.values()]


@pytest.fixture
def client() -> Iterator[Client]:
    with serving_streams(make_stream("orders")) as client:
        yield client


@pytest.mark.parametrize("text", **by_name(TEXTS))
def test_an_address_names_a_group_or_is_refused(client: Client, text: str) -> None:
    spelled = quote(text, safe="")
    one = client.get(f"/streams/orders/{spelled}/")
    many = client.get("/streams/", {"follow": f"orders/{spelled}/{spelled}"})
    other = client.get(f"/streams/{spelled}/g/")
    for answer in (one, many, other):
        assert answer.status_code in (200, 400, 401, 403, 404), answer.content
        assert told_nothing(answer.content)
    is_name = 1 <= len(text) <= 255 and "\x00" not in text
    assert many.status_code == (200 if is_name else 400)
    assert other.status_code != 200


@pytest.mark.parametrize("text", [*TEXTS.values(), LONG, f"{DIGITS}~1", "5~" + "1." * 5000 + "1"])
def test_a_position_that_is_none_begins_anew(client: Client, text: str) -> None:
    Stream("orders").set("g", "a", {"n": 1})
    by_header = client.get("/streams/orders/g/", headers={"Last-Event-ID": text})
    by_address = client.get("/streams/orders/g/", {"lastEventId": text})
    for answer in (by_header, by_address):
        assert answer.status_code == 200
        assert b'"type":"sync"' in answer.content


@pytest.mark.parametrize("text", TOKENS)
def test_a_token_that_is_none_lets_nobody_in_as_somebody(client: Client, text: str) -> None:
    answer = client.get("/streams/orders/g/", {"token": text})
    assert answer.status_code == (401 if text.startswith("motia.") else 200)
    assert told_nothing(answer.content)


@pytest.mark.parametrize("said", [*REFUSED.values(), *TAKEN.values(), *TEXTS.values()])
def test_a_socket_that_does_not_speak_the_protocol_is_told_so(said: str | bytes) -> None:
    text = said if isinstance(said, str) else said.decode("utf-8", "replace")
    with pytest.raises(NotMotia):
        wishes.read(text)


@pytest.mark.parametrize("key", ["subscriptionId", "streamName", "groupId", "id"])
@pytest.mark.parametrize("value", ["\ud800", "\x00", "x" * 256, 1e308, 10**400, [], {}, True])
def test_a_wish_with_names_that_are_none_is_answered(key: str, value: Any) -> None:
    """What is answered can be sent: half a surrogate pair is no text on any wire."""
    text = json.dumps({"type": "join", "data": {**JOIN, key: value}})
    if (key, value) == ("subscriptionId", "\x00"):
        assert wishes.read(text).subscription_id == value
        return
    with pytest.raises((NotMotia, NotPossible)) as raised:
        wishes.read(text)
    said = raised.value
    if isinstance(said, NotMotia):
        assert len(said.reason.encode()) <= 123
    else:
        assert isinstance(said, NotPossible)
        assert json.loads(wishes.not_possible(said).encode())["type"] == "error"
