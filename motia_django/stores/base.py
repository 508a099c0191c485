"""The contract that every store of state keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from motia_django import payloads
from motia_django.exceptions import InvalidKey
from motia_django.triggers.state import StateChange

MISSING: Any = object()
"""Stands for the value of an item that is not there (None is a value like any other)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a write did to one item; `MISSING` where it was not there before, or is not after."""

    group: str
    key: str
    old: Any
    new: Any

    def event(self) -> StateChange:
        """Return the change as Steps are told of it."""
        kind = "created" if self.old is MISSING else "deleted" if self.new is MISSING else "updated"
        return StateChange(
            event_type=f"state:{kind}",
            group_id=self.group,
            item_id=self.key,
            old_value=none_if_missing(self.old),
            new_value=none_if_missing(self.new),
        )


class StateStore(ABC):
    """Grouped key-value data. Groups and keys are strings of 1 to 255 characters, values any JSON.

    `write` is atomic under any number of processes, and reports exactly one change per write.
    """

    @abstractmethod
    def get(self, group: str, key: str) -> Any:
        """Return an item's value, or `MISSING`."""

    @abstractmethod
    def write(
        self,
        group: str,
        key: str,
        value: Callable[[Any], Any],
        announce: Callable[[Change], object],
    ) -> Change:
        """Replace an item's value by `value(old)`, where either may be `MISSING`.

        Nobody else's write falls between reading `old` and writing the new value. `announce` is
        called with the change inside the same transaction, if the store has transactions.
        """

    @abstractmethod
    def items(self, group: str) -> list[tuple[str, Any]]:
        """Return the keys and values of a group, oldest item first."""

    @abstractmethod
    def groups(self) -> list[str]:
        """Return the names of all groups that hold an item, sorted."""


def none_if_missing(value: Any) -> Any:
    """Return what callers see in the place of a value."""
    return None if value is MISSING else value


def checked_key(name: str, value: Any, where: str = "state") -> str:
    """Return a group or key that every store can hold; raise `InvalidKey`."""
    is_text = isinstance(value, str) and payloads.plain_text(value) == value
    if not is_text or not 1 <= len(value) <= 255:
        expected = "a string of 1 to 255 characters, without NUL and lone surrogates"
        raise InvalidKey(f"{where}: {name}: expected {expected}, got {value!r:.300}")
    return str(value)
