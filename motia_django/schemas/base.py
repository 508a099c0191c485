"""The contract that every kind of schema keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

Errors = dict[str, list[str]]
"""What is wrong with a value, by the path of the field."""


class Schema(ABC):
    """What a value has to look like."""

    asks_context: ClassVar[bool] = False
    """Whether it depends on the request, so that one has to be made `within` its context."""
    reads_forms: ClassVar[bool] = False
    """Whether it takes a form as Django parsed it, and knows itself what a form leaves out."""

    is_loose: ClassVar[bool] = False
    """Whether what a handler gave may break it, since nobody looked at it where it was declared."""

    @abstractmethod
    def clean(self, value: Any, subject: str) -> Any:
        """Return the value as the handler gets it; raise `InvalidInput` keyed by field path."""

    @abstractmethod
    def dump(self, value: Any, subject: str) -> Any:
        """Return what a handler gave as plain JSON; raise `InvalidInput` if it does not fit."""

    @abstractmethod
    def json_schema(self, *, of_answers: bool = False) -> dict[str, Any]:
        """Return the schema of what comes in, or of what `dump` gives, as JSON Schema.

        Raise `Inexpressible` if it cannot be said in that.
        """

    def by_every_name(self) -> dict[str, Any]:
        """Return the schema of what comes in with a property for each name a field may come by.

        Raise `Inexpressible` as `json_schema` does, which has one name of each field.
        """
        return self.json_schema()

    def within(self, context: Mapping[str, Any]) -> Schema:
        """Return the schema for one request; `context` is what its serializers are told of it."""
        return self

    def dump_rows(self, rows: Iterable[Any], subject: str) -> list[Any]:
        """Return many values as `dump` returns one."""
        return [self.dump(row, subject) for row in rows]


def dotted(path: Iterable[str | int]) -> str:
    """Return the path of a field as text: `lines.0.sku`."""
    return ".".join(map(str, path))
