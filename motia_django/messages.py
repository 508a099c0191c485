"""What `enqueue` takes: a message, read and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from motia_django import declarations, payloads
from motia_django.declarations import Mismatch, camel
from motia_django.exceptions import InvalidMessage, did_you_mean
from motia_django.sources import snake

_KEYS = (
    "topic",
    "data",
    "delay_seconds",
    "message_group_id",
    "dedupe_key",
    "dedupe_for",
    "new_trace",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What `enqueue` sends."""

    topic: str
    data: Any = None
    delay_seconds: float = 0
    message_group_id: str | None = None
    """Messages of one group keep their order, where a fifo trigger listens. Any text."""
    dedupe_key: str | None = None
    """While a run that this key began is unfinished, the key begins no other. Any text."""
    dedupe_for: float | None = None
    """Seconds from now for which it begins no other, finished or not."""
    new_trace: bool = False
    """Whether its runs begin a trace of their own, and are the first in a row (`MAX_DEPTH`)."""

    @classmethod
    def read(cls, raw: Any) -> Message:
        """Read `{"topic": ..., "data": ...}`; raise `InvalidMessage`."""
        if isinstance(raw, Message):
            return raw
        if not isinstance(raw, Mapping):
            raise InvalidMessage(
                f'enqueue: expected {{"topic": ..., "data": ...}}, got {raw!r:.200}'
            )
        values = {_known(key): value for key, value in raw.items()}
        if values.get("dedupe_for") is not None and values.get("dedupe_key") is None:
            raise InvalidMessage("enqueue: dedupeFor: expected a dedupeKey beside it, got None")
        return cls(
            topic=_parsed("topic", declarations.text, values.get("topic")),
            data=values.get("data"),
            delay_seconds=_parsed(
                "delaySeconds", declarations.number, values.get("delay_seconds", 0)
            ),
            message_group_id=_optional("messageGroupId", _any_text, values.get("message_group_id")),
            dedupe_key=_optional("dedupeKey", _any_text, values.get("dedupe_key")),
            dedupe_for=_optional(
                "dedupeFor", declarations.positive_number, values.get("dedupe_for")
            ),
            new_trace=_parsed("newTrace", declarations.boolean, values.get("new_trace", False)),
        )


def read_messages(
    message: Any, data: Any = None, keys: Mapping[str, Any] | None = None
) -> list[Message]:
    """Read what `enqueue` was called with, in any of its forms; raise `InvalidMessage`."""
    return [Message.read(each) for each in _as_list(message, data, keys or {})]


def _as_list(message: Any, data: Any, keys: Mapping[str, Any]) -> Sequence[Any]:
    if isinstance(message, str):
        return [{"topic": message, "data": data, **keys}]
    if message is None:
        return [keys]
    if keys or data is not None:
        raise InvalidMessage("enqueue: give a message, or a topic with data, not both")
    return message if isinstance(message, list | tuple) else [message]


def _known(key: Any) -> str:
    """Return the name of a key, in whichever spelling; raise `InvalidMessage` if there is none."""
    name = snake(str(key))
    if name in _KEYS:
        return name
    known = [camel(each) for each in _KEYS]
    hint = did_you_mean(str(key), known) or f" Known are {', '.join(known)}."
    raise InvalidMessage(f"enqueue: unknown key {key!r}.{hint}")


def _optional(key: str, parse: Any, value: Any) -> Any:
    return None if value is None else _parsed(key, parse, value)


def _any_text(value: Any) -> str:
    """Parse text of any characters and length: it is data, a customer's name perhaps."""
    if not isinstance(value, str) or not value:
        raise Mismatch("a string that is not empty")
    return payloads.plain_text(value)


def _parsed(key: str, parse: Any, value: Any) -> Any:
    try:
        return parse(value)
    except Mismatch as mismatch:
        raise InvalidMessage(f"enqueue: {key}: expected {mismatch}, got {value!r:.200}") from None
