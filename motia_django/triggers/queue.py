"""The queue trigger: run for each message of a topic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from motia_django import declarations
from motia_django.declarations import Reader
from motia_django.delivery import Delivery
from motia_django.schemas import Schema
from motia_django.triggers import written
from motia_django.triggers.base import Trigger, schema, take_condition
from motia_django.triggers.spellings import spelled


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueTrigger(Trigger):
    """`{"type": "queue", "topic": "todo.created", "input": TodoCreated, "config": {...}}`."""

    kind: ClassVar[str] = "queue"

    topic: str
    input: Schema | None = None

    @classmethod
    def read(cls, reader: Reader) -> QueueTrigger:
        """Read one entry of `triggers`; problems are noted in the reader."""
        return cls(
            topic=reader.take("topic", declarations.name_up_to(255)),
            input=reader.take("input", schema, default=None),
            condition=take_condition(reader),
            delivery=Delivery.read(reader),
        )

    @property
    def source(self) -> str:
        return self.topic

    @property
    def schema(self) -> Schema | None:
        return self.input


@spelled()
def queue(
    topic: str,
    *,
    input: Any = None,
    condition: Any = None,
    config: Mapping[str, Any] | None = None,
    infrastructure: Mapping[str, Any] | None = None,
) -> written.QueueTrigger:
    """Declare a queue trigger: `queue("todo.created", input=TodoCreated)`.

    Motia 1.0-alpha had `infrastructure` for `config`.
    """
    return written.QueueTrigger(
        topic=topic,
        input=input,
        condition=condition,
        config=config,
        infrastructure=infrastructure,
    )


event = queue
"""The name that Motia 1.0-alpha had for it."""
