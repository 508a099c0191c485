"""What is put into a stream, checked: its items, each with its id, and events."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from motia_django import payloads
from motia_django.exceptions import InvalidInput, InvalidItem, PayloadError
from motia_django.schemas import Schema
from motia_django.stream_config import StreamConfig

logger = logging.getLogger("motia.streams")

_NO_ID = (None, "")
"""What an item may hold as its id and be given its own."""


def item_of(stream: StreamConfig, group: str, item: str, value: Any) -> dict[str, Any]:
    """Return an item as it is kept, by the schema and with its id.

    Raise `InvalidItem`, `InvalidInput` (the schema) or `PayloadError`.
    """
    subject = f"The item {group}/{item} of stream {stream.name!r}"
    schema = stream.schema
    if isinstance(value, Mapping) and value.get("id") in _NO_ID:
        value = {**value, "id": item}
    plain = _plain(value, subject) if schema is None else _fitting(schema, value, subject)
    if not isinstance(plain, dict):
        raise InvalidItem(f"{subject}: expected an object, got {payloads.shown(value)}")
    own = plain.get("id")
    if own in _NO_ID:
        return {**plain, "id": item}
    if str(own) != item:
        raise InvalidItem(f"{subject}: its id is {payloads.shown(own)}")
    return plain


def _fitting(schema: Schema, value: Any, subject: str) -> Any:
    """Return an item by its schema; one that breaks a loose one is kept as it is."""
    try:
        return schema.dump(value, subject)
    except InvalidInput as error:
        if not schema.is_loose:
            raise
        logger.warning("%s; it is kept all the same", error)
    return _plain(value, subject)


def _plain(value: Any, subject: str) -> Any:
    try:
        return payloads.plain(value)
    except PayloadError as error:
        raise error.within(subject) from error.__cause__


def channel_of(channel: Any, item: Any) -> tuple[Any, Any]:
    """Return the group and the item, or None, that an event is sent to; raise `InvalidItem`."""
    if not isinstance(channel, Mapping):
        return channel, item
    spellings = {"groupId": "group", "group_id": "group", "id": "item", "itemId": "item"}
    spellings["item_id"] = "item"
    named = {spellings[key]: value for key, value in channel.items() if key in spellings}
    if len(named) != len(channel) or "group" not in named:
        raise InvalidItem(
            f'send: expected a group or {{"groupId", "id"}}, got {payloads.shown(channel)}'
        )
    return named["group"], named.get("item", item)


def event_of(event: Any, data: Any) -> dict[str, Any]:
    """Return an event as it is told, `{"type", "data"}`; raise `InvalidItem`."""
    if isinstance(event, str) and event:
        return {"type": event, "data": data}
    known = isinstance(event, Mapping) and set(event) <= {"type", "data"} and data is None
    if known and isinstance(event.get("type"), str) and event["type"]:
        return {"type": event["type"], "data": event.get("data")}
    raise InvalidItem(
        f'send: expected the type of an event or {{"type", "data"}}, got {payloads.shown(event)}'
    )
