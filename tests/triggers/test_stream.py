"""The stream trigger."""

from __future__ import annotations

from typing import Any

import pytest

from motia_django import stream
from tests.declared import good, wrong


@pytest.mark.parametrize(
    ("keys", "source"),
    [
        ({"streamName": "todos"}, "todos/*/*"),
        ({"stream_name": "todos", "group_id": "inbox"}, "todos/inbox/*"),
        ({"streamName": "todos", "groupId": "inbox", "itemId": "17"}, "todos/inbox/17"),
    ],
)
def test_it_watches_a_stream_a_group_or_an_item(keys: dict[str, Any], source: str) -> None:
    assert good({"type": "stream", **keys}).source == source


def test_it_needs_a_stream() -> None:
    assert "the key 'streamName' is missing" in wrong({"type": "stream", "groupId": "inbox"})


@pytest.mark.parametrize("key", ["streamName", "groupId", "itemId"])
def test_each_part_is_text(key: str) -> None:
    declared = {"type": "stream", "streamName": "todos", key: 5}
    assert f"config.{key}: expected a string" in wrong(declared)


def test_the_helper_declares_the_same() -> None:
    trigger = good(stream("todos", group_id="inbox", item_id="17", config={"maxRetries": 1}))
    assert trigger.source == "todos/inbox/17"
    assert trigger.delivery.max_retries == 1
    assert stream("todos") == {"type": "stream", "stream_name": "todos"}


def test_it_takes_the_kinds_of_events_it_wants() -> None:
    keys = {"type": "stream", "streamName": "todos"}
    assert good({**keys, "events": ["Create", "event"]}).events == ("create", "event")
    assert "config.events: expected a list of create" in wrong({**keys, "events": "create"})
    assert "expected one of create" in wrong({**keys, "events": ["created"]})
