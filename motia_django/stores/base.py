"""The contract that every store of state keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from motia_django import payloads
from motia_django.exceptions import InvalidKey, VersionConflict
from motia_django.tracing import Cause
from motia_django.triggers.state import StateChange

MISSING: Any = object()
"""Stands for the value of an item that is not there (None is a value like any other)."""
_FEW_LEVELS = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item as it was when it was read."""

    key: str
    value: Any
    version: int
    """Grows with every write. A new item's is the time in microseconds, so that none is used again,
    though the item be deleted and made anew."""
    expires_at: datetime | None = None
    """From when on it is not there any more; None for an item that stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a write did to one item; `MISSING` where it was not there before, or is not after."""

    group: str
    key: str
    old: Any
    new: Any
    version: int = 0
    """The item's version after the write; 0 if it is not there."""
    id: str | None = None
    """Tells this change from every other, where the store may tell of it more than once."""
    cause: Cause | None = None
    """The run that made it, where it may be told of outside of that."""

    @property
    def happened(self) -> bool:
        """Whether there was, or is, an item at all: a deletion of nothing is no change."""
        return self.old is not MISSING or self.new is not MISSING

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """What is to become of one item: the JSON text `text`, or what `compute` says.

    Neither means that it is to be deleted. `compute` is given the old value, or `MISSING`; it
    returns the new JSON text, leaves what it was given as it is, and may be called more than once.
    """

    group: str
    key: str
    text: str | None = None
    compute: Callable[[Any], str] | None = None
    expires_at: datetime | None = None
    keeps_expiry: bool = False
    """Whether the item expires when it did before, whatever `expires_at` says."""
    if_version: int | None = None
    """The version that the item must have, 0 for an item that must not be there; None for any."""

    @property
    def deletes(self) -> bool:
        """Whether the item is to be deleted."""
        return self.text is None and self.compute is None

    def new_text(self, old: Any) -> str | None:
        """Return the JSON text that is to be written over a value, None to delete it."""
        return self.text if self.compute is None else self.compute(old)

    def check(self, found: int) -> None:
        """Raise `VersionConflict` unless the item may have this version, 0 if it is not there."""
        if self.if_version not in (None, found):
            raise VersionConflict(self.group, self.key, expected=self.if_version, found=found)


class Audience(ABC):
    """Who is told of changes."""

    @abstractmethod
    def hears(self, group: str, key: str) -> bool:
        """Return whether anybody might want to know of changes of this item."""

    @abstractmethod
    def tell(self, change: Change) -> None:
        """Tell of one change that happened."""


class StateStore(ABC):
    """Grouped key-value data. Groups and keys are strings of 1 to 255 characters, values any JSON.

    An item that has expired is not there for anybody, at once. Its deletion is told of once all the
    same: by the next write to its key, or by `look_after`, whichever comes first.
    """

    @abstractmethod
    def get(self, group: str, key: str) -> Any:
        """Return an item's value, or `MISSING`."""

    @abstractmethod
    def item(self, group: str, key: str) -> Item | None:
        """Return an item with its version, or None."""

    @abstractmethod
    def get_many(self, group: str, keys: Sequence[str]) -> dict[str, Any]:
        """Return the values of those of these items that are there, as of one moment.

        Up to 10,000 of them; of more, each 10,000 may be as of another.
        """

    @abstractmethod
    def write(self, writes: Sequence[Write], audience: Audience) -> list[Change]:
        """Do all of these writes to different items of one group, or none; return what they did.

        Nobody else's write falls between reading what is there and writing what is to be. The
        audience is told of each change that happened, if it hears of the item; in the same
        transaction, if the store has transactions. Raise `VersionConflict`, or what a `compute`
        raises, having changed nothing.
        """

    @abstractmethod
    def items(
        self, group: str, *, after: str | None = None, limit: int | None = None
    ) -> list[tuple[str, Any]]:
        """Return keys and values of a group in the order of the keys' code points.

        At most `limit` of them, from the first key that comes `after` the given one.
        """

    @abstractmethod
    def groups(self) -> list[str]:
        """Return the names of all groups that hold an item, sorted by code points."""

    @abstractmethod
    def look_after(self, limit: int, audience: Audience) -> int:
        """Delete expired items, and tell of changes that nobody has been told of yet.

        Return for how many this was done, at most `limit` of either.
        """

    def database(self) -> str | None:
        """Return the alias of the database whose rollback undoes a write, None if none does."""
        return None

    def drop(self) -> None:  # noqa: B027
        """Delete all that is kept outside of this app's tables, and tell nobody."""

    def values(self, group: str) -> list[Any]:
        """Return the values of a group, in the order of `items`."""
        return [value for _, value in self.items(group)]


def none_if_missing(value: Any) -> Any:
    """Return what callers see in the place of a value."""
    return None if value is MISSING else value


def text_of(value: Any) -> str:
    """Return a value as the JSON text that is kept of it; raise `PayloadError`.

    It leaves room for the levels that a list of items, or the input of a run, is to hold it in:
    what is written can be read, and told of.
    """
    text = payloads.dumps(value)
    if text.count("[") + text.count("{") > _FEW_LEVELS:
        payloads.dumps([[[[value]]]])
    return text


def values_of(texts: Iterable[str]) -> list[Any]:
    """Return the values of many JSON texts, read at once since that is quicker."""
    values: list[Any] = payloads.loads(f"[{','.join(texts)}]")
    return values


def checked_key(name: str, value: Any, where: str = "state") -> str:
    """Return a group or key that every store can hold, as a plain `str`; raise `InvalidKey`.

    Callers go on with what is returned: a member of an enum, say, has other words for itself than
    its value, which each store would ask for in its own way.
    """
    is_text = isinstance(value, str) and 1 <= len(value) <= 255 and "\x00" not in value
    if is_text and (value.isascii() or payloads.plain_text(value) == value):
        return str.__str__(value)
    expected = "a string of 1 to 255 characters, without NUL and lone surrogates"
    raise InvalidKey(f"{where}: {name}: expected {expected}, got {value!r:.300}")


def checked_keys(keys: Any, where: str = "state") -> list[str]:
    """Return several keys, each once; raise `InvalidKey`. Text is one key, not one each letter."""
    if isinstance(keys, str) or not isinstance(keys, Iterable):
        raise InvalidKey(f"{where}: keys: expected a list of keys, got {payloads.shown(keys)}")
    return list(dict.fromkeys(checked_key("key", key, where) for key in keys))


def by_key(values: Any, where: str = "state") -> dict[str, Any]:
    """Return several values by their keys; raise `InvalidKey`."""
    if not isinstance(values, Mapping):
        got = payloads.shown(values)
        raise InvalidKey(f"{where}: values: expected a dict of values by key, got {got}")
    return {checked_key("key", key, where): value for key, value in values.items()}
