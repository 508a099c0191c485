"""The stream trigger: run when an item of a stream changes, or an event is sent to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from motia_django import declarations
from motia_django.declarations import Reader
from motia_django.delivery import Delivery
from motia_django.triggers.base import Trigger, take_condition


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamTrigger(Trigger):
    """`{"type": "stream", "streamName": "todos", "groupId": "inbox", "itemId": "17"}`."""

    kind: ClassVar[str] = "stream"

    stream_name: str
    group_id: str | None = None
    item_id: str | None = None

    @classmethod
    def read(cls, reader: Reader) -> StreamTrigger:
        """Read one entry of `triggers`; problems are noted in the reader."""
        return cls(
            stream_name=reader.take("stream_name", declarations.text),
            group_id=reader.take("group_id", declarations.text, default=None),
            item_id=reader.take("item_id", declarations.text, default=None),
            condition=take_condition(reader),
            delivery=Delivery.read(reader),
        )

    @property
    def source(self) -> str:
        return f"{self.stream_name}/{self.group_id or '*'}/{self.item_id or '*'}"


def stream(
    stream_name: str,
    *,
    group_id: str | None = None,
    item_id: str | None = None,
    condition: Any = None,
    config: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Declare a stream trigger: `stream("todos", group_id="inbox")`."""
    given = {
        "group_id": group_id,
        "item_id": item_id,
        "condition": condition,
        "config": config,
    }
    return {"type": "stream", "stream_name": stream_name} | {
        key: value for key, value in given.items() if value is not None
    }
