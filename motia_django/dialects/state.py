"""State with the names, and the answers, that it had in older dialects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from motia_django.dialects.keywords import folded
from motia_django.sources import snake
from motia_django.twofold import settled


class Kept(dict[str, Any]):
    """An object of state, or of a stream, as 0.x answered it: under `data`, if it has none itself.

    It is itself what is under `data`, so that who takes it for the value is right as well.
    """

    def __missing__(self, key: str) -> Any:
        if key == "data":
            return self._under_data()
        raise KeyError(key)

    def _under_data(self) -> Any:
        return self

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, or `default`."""
        try:
            return self[key]
        except KeyError:
            return default

    def __contains__(self, key: object) -> bool:
        return key == "data" or super().__contains__(key)


class Nothing(Kept):
    """What 0.x answered where there was no item; empty, so that it counts as false."""

    def _under_data(self) -> Any:
        return None


class _Another(Exception):
    """An item has another value than it was expected to have."""


class OldState:
    """State, with the names and the answers that it had in older dialects.

    What the last versions of 0.x could do to one item, nobody's write falling in between, is here
    as well, in either spelling: `increment`, `push`, `compare_and_swap` and their like.
    """

    def __init__(self, state: Any, *, as_in_flat: bool) -> None:
        self._state, self._as_in_flat = state, as_in_flat

    @folded
    async def get(self, group: Any, key: Any) -> Any:
        """Return the value of an item."""
        value = await settled(self._state.get(str(group), str(key)))
        if value is None and self._as_in_flat:
            return Nothing()
        return Kept(value) if isinstance(value, dict) else value

    @folded
    async def set(self, group: Any, key: Any, value: Any) -> Any:
        """Write an item; in 0.x it answers the value."""
        changed = await settled(self._state.set(str(group), str(key), value))
        return changed["new_value"] if self._as_in_flat else changed

    @folded
    async def update(self, group: Any, key: Any, how: Any) -> Any:
        """Change an item by a function of its value, or by operations; in 0.x answer the value."""
        changed = await self._changed(group, key, how)
        return changed["new_value"] if self._as_in_flat else changed

    @folded
    async def delete(self, group: Any, key: Any) -> Any:
        """Remove an item; return the value it had."""
        return await settled(self._state.delete(str(group), str(key)))

    @folded
    async def clear(self, group: Any) -> Any:
        """Remove all items of a group."""
        return await settled(self._state.clear(str(group)))

    @folded
    async def get_group(self, group: Any, *key: Any) -> Any:
        """Return the values of a group."""
        return await settled(self._state.list(str(group)))

    list = get_group

    @folded
    async def exists(self, group: Any, key: Any) -> bool:
        """Return whether there is an item."""
        return await settled(self._state.get_item(str(group), str(key))) is not None

    @folded
    async def increment(self, group: Any, key: Any, delta: Any = 1) -> Any:
        """Add to a number, which begins at 0; return the sum."""
        changed = await self._changed(group, key, lambda old: (old or 0) + delta)
        return changed["new_value"]

    @folded
    async def decrement(self, group: Any, key: Any, delta: Any = 1) -> Any:
        """Take from a number, which begins at 0; return what is left."""
        changed = await self._changed(group, key, lambda old: (old or 0) - delta)
        return changed["new_value"]

    @folded
    async def compare_and_swap(self, group: Any, key: Any, expected: Any, value: Any) -> bool:
        """Write an item if it has the value that is expected; return whether it had."""

        def swapped(old: Any) -> Any:
            if old != expected:
                raise _Another
            return value

        try:
            await self._changed(group, key, swapped)
        except _Another:
            return False
        return True

    @folded
    async def push(self, group: Any, key: Any, *items: Any) -> Any:
        """Add to the end of a list; return it."""
        changed = await self._changed(group, key, lambda old: [*(old or ()), *items])
        return changed["new_value"]

    @folded
    async def unshift(self, group: Any, key: Any, *items: Any) -> Any:
        """Add to the beginning of a list; return it."""
        changed = await self._changed(group, key, lambda old: [*items, *(old or ())])
        return changed["new_value"]

    @folded
    async def pop(self, group: Any, key: Any) -> Any:
        """Take the last item off a list; return it, or None."""
        return await self._taken(group, key, -1, slice(-1))

    @folded
    async def shift(self, group: Any, key: Any) -> Any:
        """Take the first item off a list; return it, or None."""
        return await self._taken(group, key, 0, slice(1, None))

    @folded
    async def set_field(self, group: Any, key: Any, name: str, value: Any) -> Any:
        """Write one key of an object; return it."""
        changed = await self._changed(group, key, lambda old: {**(old or {}), name: value})
        return changed["new_value"]

    @folded
    async def delete_field(self, group: Any, key: Any, name: str) -> Any:
        """Take one key out of an object; return it."""
        changed = await self._changed(group, key, lambda old: _without(old or {}, name))
        return changed["new_value"]

    def __getattr__(self, name: str) -> Any:
        known = snake(name)
        return getattr(self._state if known == name else self, known)

    async def _taken(self, group: Any, key: Any, at: int, rest: slice) -> Any:
        """Leave the rest of a list; return the item that is taken, or None where there is none."""

        def left(old: Any) -> Any:
            if not old:
                raise _Another
            return old[rest]

        try:
            changed = await self._changed(group, key, left)
        except _Another:
            return None
        return changed["old_value"][at]

    async def _changed(self, group: Any, key: Any, how: Callable[[Any], Any]) -> Any:
        return await settled(self._state.update(str(group), str(key), how))


def _without(fields: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != name}
