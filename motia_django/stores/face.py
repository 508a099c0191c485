"""State as handlers and the rest of a project use it: `from motia_django import state`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from asgiref.sync import sync_to_async

from motia_django import dispatch, payloads, tracing
from motia_django.stores import state_store
from motia_django.stores.base import MISSING, Change, checked_key, none_if_missing
from motia_django.stores.updates import updated
from motia_django.triggers.state import state_changed

Pairs = list[tuple[str, Any]]
Values = list[Any]
Names = list[str]
Changed = dict[str, Any]
"""`{"old_value": ..., "new_value": ...}`; None where there was, or is, no item."""


class State:
    """Grouped key-value data: `state.set("todos", "17", {...})`.

    Groups and keys are strings of 1 to 255 characters, values any JSON. A write and the runs of the
    Steps that watch it join the caller's transaction. Each method has an async twin (`aget`).
    Called itself, it declares a state trigger: `state("orders", events=["updated"])`.

    Raises `InvalidKey`, `InvalidUpdate` and `PayloadError`, having changed nothing.
    """

    __call__ = staticmethod(state_changed)

    def get(self, group: str, key: str) -> Any:
        """Return an item's value, or None."""
        _check(group, key)
        _note("get", group=group, key=key)
        return none_if_missing(state_store().get(group, key))

    def set(self, group: str, key: str, value: Any) -> Changed:
        """Write an item; return `{"old_value", "new_value"}`."""
        _check(group, key)
        plain = payloads.plain(value)
        return _write("set", group, key, lambda old: plain)

    def update(self, group: str, key: str, ops: Sequence[Mapping[str, Any]]) -> Changed:
        """Apply operations to an item, all or none; return `{"old_value", "new_value"}`.

        Operations are `{"type": "set", "path": "address.city", "value": "Oslo"}`, and `merge`,
        `increment`, `decrement`, `append`, `remove`; a missing item begins as an empty object.
        """
        _check(group, key)
        return _write("update", group, key, lambda old: updated(old, ops))

    def delete(self, group: str, key: str) -> Any:
        """Remove an item; return the value it had, or None."""
        _check(group, key)
        return _write("delete", group, key, lambda old: MISSING)["old_value"]

    def list(self, group: str) -> Values:
        """Return the values of a group, oldest item first."""
        return [value for _, value in self.items(group)]

    def items(self, group: str) -> Pairs:
        """Return the (key, value) pairs of a group, oldest item first."""
        checked_key("group", group)
        _note("list", group=group)
        return state_store().items(group)

    def list_groups(self) -> Names:
        """Return the names of all groups that hold an item, sorted."""
        return state_store().groups()

    def clear(self, group: str) -> int:
        """Delete every item of a group, one by one; return how many there were."""
        checked_key("group", group)
        changes = [
            _write("delete", group, key, lambda old: MISSING)
            for key, _ in state_store().items(group)
        ]
        return len(changes)

    async def aget(self, group: str, key: str) -> Any:
        """Return an item's value, or None."""
        return await sync_to_async(self.get)(group, key)

    async def aset(self, group: str, key: str, value: Any) -> Changed:
        """Write an item; return `{"old_value", "new_value"}`."""
        return await sync_to_async(self.set)(group, key, value)

    async def aupdate(self, group: str, key: str, ops: Sequence[Mapping[str, Any]]) -> Changed:
        """Apply operations to an item, all or none."""
        return await sync_to_async(self.update)(group, key, ops)

    async def adelete(self, group: str, key: str) -> Any:
        """Remove an item; return the value it had, or None."""
        return await sync_to_async(self.delete)(group, key)

    async def alist(self, group: str) -> Values:
        """Return the values of a group, oldest item first."""
        return await sync_to_async(self.list)(group)

    async def aitems(self, group: str) -> Pairs:
        """Return the (key, value) pairs of a group, oldest item first."""
        return await sync_to_async(self.items)(group)

    async def alist_groups(self) -> Names:
        """Return the names of all groups that hold an item, sorted."""
        return await sync_to_async(self.list_groups)()

    async def aclear(self, group: str) -> int:
        """Delete every item of a group; return how many there were."""
        return await sync_to_async(self.clear)(group)


class AsyncState:
    """State as an `async def` handler gets it: the same names, awaited."""

    def __init__(self, state: State) -> None:
        self.get = state.aget
        self.set = state.aset
        self.update = state.aupdate
        self.delete = state.adelete
        self.list = state.alist
        self.items = state.aitems
        self.list_groups = state.alist_groups
        self.clear = state.aclear


state = State()


def _check(group: Any, key: Any) -> None:
    checked_key("group", group)
    checked_key("key", key)


def _write(operation: str, group: str, key: str, value: Any) -> Changed:
    tracing.check_lease()
    change = state_store().write(group, key, value, _announce)
    old, new = none_if_missing(change.old), none_if_missing(change.new)
    _note(operation, group=group, key=key, old=old, new=new)
    return {"old_value": old, "new_value": new}


def _announce(change: Change) -> None:
    if not (change.old is MISSING and change.new is MISSING):
        dispatch.state_changed(change.event())


def _note(operation: str, **facts: Any) -> None:
    scope = tracing.current()
    if scope is not None:
        scope.timeline.add("state", operation=operation, **facts)
