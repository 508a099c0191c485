"""The stream trigger: run when an item of a stream changes, or an event is sent to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from motia_django import declarations
from motia_django.declarations import Mismatch, Reader
from motia_django.delivery import Delivery
from motia_django.exceptions import InvalidInput
from motia_django.triggers import written
from motia_django.triggers.base import Spelled, Trigger, fits, take_condition
from motia_django.triggers.spellings import spelled

EVENTS = ("create", "update", "delete", "event")


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEvent(Spelled):
    """What happened: `type` is create, update, delete, or event for one that was sent."""

    type: str
    data: Any = None
    """The item as it is now; for a delete as it was; for an event `{"type", "data"}`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamChange(Spelled):
    """What a stream-triggered Step is given: one event of one stream."""

    aliases: ClassVar[Mapping[str, str]] = {"item_id": "id", "itemId": "id"}

    stream_name: str
    group_id: str
    id: str | None = None
    """The item; None for an event that was sent to the whole group."""
    event: StreamEvent
    timestamp: int = 0
    """When it happened, in milliseconds since 1970."""
    type: str = "stream"

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> StreamChange:
        """Read an event as a run's input keeps it."""
        return cls(
            stream_name=raw["streamName"],
            group_id=raw["groupId"],
            id=raw["id"],
            event=StreamEvent(type=raw["event"]["type"], data=raw["event"]["data"]),
            timestamp=raw["timestamp"],
        )

    def to_json(self) -> dict[str, Any]:
        """Return the event as a run's input keeps it."""
        return {
            "type": self.type,
            "streamName": self.stream_name,
            "groupId": self.group_id,
            "id": self.id,
            "event": {"type": self.event.type, "data": self.event.data},
            "timestamp": self.timestamp,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamTrigger(Trigger):
    """`{"type": "stream", "streamName": "todos", "groupId": "inbox", "events": ["create"]}`."""

    kind: ClassVar[str] = "stream"

    stream_name: str
    group_id: str | None = None
    item_id: str | None = None
    events: tuple[str, ...] = EVENTS

    @classmethod
    def read(cls, reader: Reader) -> StreamTrigger:
        """Read one entry of `triggers`; problems are noted in the reader."""
        return cls(
            stream_name=reader.take("stream_name", declarations.text),
            group_id=reader.take("group_id", declarations.text, default=None),
            item_id=reader.take("item_id", declarations.text, default=None),
            events=reader.take("events", _events, default=EVENTS),
            condition=take_condition(reader),
            delivery=Delivery.read(reader),
        )

    @property
    def source(self) -> str:
        return f"{self.stream_name}/{self.group_id or '*'}/{self.item_id or '*'}"

    def starts_by(self, source: str) -> bool:
        return fits(source, (self.stream_name, self.group_id), self.item_id)

    def clean_input(self, raw: Mapping[str, Any], subject: str) -> StreamChange:
        try:
            return StreamChange.from_json(raw)
        except (KeyError, TypeError) as error:
            expected = "expected streamName, groupId, id, timestamp and event (type and data)"
            raise InvalidInput(subject, {"": [f"{expected}, got {raw!r:.200}"]}) from error

    def hears(self, change: StreamChange) -> bool:
        """Return whether the filters let this event through; the condition is asked elsewhere."""
        return (
            self.stream_name == change.stream_name
            and self.group_id in (None, change.group_id)
            and self.item_id in (None, change.id)
            and change.event.type in self.events
        )


@spelled()
def stream(
    stream_name: str,
    *,
    group_id: str | None = None,
    item_id: str | None = None,
    events: Sequence[str] | None = None,
    condition: Any = None,
    config: Mapping[str, Any] | None = None,
) -> written.StreamTrigger:
    """Declare a stream trigger: `stream("todos", group_id="inbox")`."""
    return written.StreamTrigger(
        stream_name=stream_name,
        group_id=group_id,
        item_id=item_id,
        events=events,
        condition=condition,
        config=config,
    )


def _events(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise Mismatch(f"a list of {', '.join(EVENTS)}")
    parse = declarations.one_of(*EVENTS)
    return tuple(parse(word) for word in value)
