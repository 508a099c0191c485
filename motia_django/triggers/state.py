"""The state trigger: run when an item of state is created, updated or deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from motia_django import declarations, payloads
from motia_django.declarations import Mismatch, Reader
from motia_django.delivery import Delivery
from motia_django.exceptions import InvalidInput
from motia_django.triggers import written
from motia_django.triggers.base import Spelled, Trigger, fits, take_condition
from motia_django.triggers.spellings import spelled

EVENTS = ("created", "updated", "deleted")


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChange(Spelled):
    """What a state-triggered Step is given: one change of one item."""

    aliases: ClassVar[Mapping[str, str]] = {
        "key": "item_id",
        "scope": "group_id",
    }

    event_type: str = "state:updated"
    """`state:created`, `state:updated` or `state:deleted`."""
    group_id: str
    item_id: str
    old_value: Any = None
    new_value: Any = None
    type: str = "state"

    @property
    def is_noop(self) -> bool:
        """Whether the item was there and its value, as JSON, is what it was."""
        is_update = self.event_type == "state:updated"
        return is_update and payloads.same(self.old_value, self.new_value)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> StateChange:
        """Read a change as a run's input keeps it."""
        return cls(
            event_type=raw["eventType"],
            group_id=raw["groupId"],
            item_id=raw["itemId"],
            old_value=raw["oldValue"],
            new_value=raw["newValue"],
        )

    def to_json(self) -> dict[str, Any]:
        """Return the change as a run's input keeps it."""
        return {
            "type": self.type,
            "eventType": self.event_type,
            "groupId": self.group_id,
            "itemId": self.item_id,
            "oldValue": self.old_value,
            "newValue": self.new_value,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class StateTrigger(Trigger):
    """`{"type": "state", "groupId": "orders", "key": "17", "events": ["updated"]}`."""

    kind: ClassVar[str] = "state"

    group_id: str | None = None
    item_id: str | None = None
    events: tuple[str, ...] = EVENTS
    on_noop: bool = False
    """Whether a write that changes nothing counts."""

    @classmethod
    def read(cls, reader: Reader) -> StateTrigger:
        """Read one entry of `triggers`; problems are noted in the reader."""
        return cls(
            group_id=reader.take("group_id", declarations.text, default=None, also=("scope",)),
            item_id=reader.take("item_id", declarations.text, default=None, also=("key",)),
            events=reader.take("events", _events, default=EVENTS),
            on_noop=reader.take("on_noop", declarations.boolean, default=False),
            condition=take_condition(reader),
            delivery=Delivery.read(reader),
        )

    @property
    def source(self) -> str:
        return f"{self.group_id or '*'}/{self.item_id or '*'}"

    def starts_by(self, source: str) -> bool:
        return fits(source, (self.group_id,), self.item_id)

    def clean_input(self, raw: Mapping[str, Any], subject: str) -> StateChange:
        try:
            return StateChange.from_json(raw)
        except (KeyError, TypeError) as error:
            expected = "expected eventType, groupId, itemId, oldValue and newValue"
            raise InvalidInput(subject, {"": [f"{expected}, got {raw!r:.200}"]}) from error

    def hears(self, change: StateChange) -> bool:
        """Return whether the filters let this change through; the condition is asked elsewhere."""
        return (
            self.group_id in (None, change.group_id)
            and self.item_id in (None, change.item_id)
            and change.event_type.removeprefix("state:") in self.events
            and (self.on_noop or not change.is_noop)
        )


@spelled(scope="group_id", item_id="key")
def state_changed(
    group_id: str | None = None,
    key: str | None = None,
    *,
    events: Sequence[str] | None = None,
    on_noop: bool | None = None,
    condition: Any = None,
    config: Mapping[str, Any] | None = None,
) -> written.StateTrigger:
    """Declare a state trigger: `state_changed("orders", events=["updated"])`."""
    return written.StateTrigger(
        group_id=group_id,
        key=key,
        events=events,
        on_noop=on_noop,
        condition=condition,
        config=config,
    )


def _events(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise Mismatch(f"a list of {', '.join(EVENTS)}")
    parse = declarations.one_of(*EVENTS, "create", "update", "delete")
    words = [
        parse(word.removeprefix("state:") if isinstance(word, str) else word) for word in value
    ]
    return tuple(word if word.endswith("d") else f"{word}d" for word in words)
