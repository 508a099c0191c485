"""State as handlers and the rest of a project use it: `from motia_django import state`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from motia_django import telemetry, tracing
from motia_django.exceptions import InvalidUpdate, PayloadError
from motia_django.loops import aside
from motia_django.stores import state_store
from motia_django.stores.audience import WATCHERS
from motia_django.stores.base import (
    Change,
    Item,
    Write,
    by_key,
    checked_key,
    checked_keys,
    none_if_missing,
    text_of,
)
from motia_django.stores.options import checked_limit, checked_version, expiry
from motia_django.stores.updates import updated
from motia_django.triggers.state import state_changed
from motia_django.twofold import at_once

Pairs = list[tuple[str, Any]]
Values = list[Any]
Names = list[str]
Changed = dict[str, Any]
"""`{"old_value": ..., "new_value": ..., "version": ...}`; None where there was no item."""
Ops = Sequence[Mapping[str, Any]] | Callable[[Any], Any]

_CLEARED_AT_ONCE = 500


@telemetry.traced("state", ("group", "key"))
class State:
    """Grouped key-value data: `state.set("todos", "17", {...})`.

    Groups and keys are strings of 1 to 255 characters, values any JSON. In the database a write and
    the runs of the Steps that watch it join the caller's transaction; in Redis a write is made at
    once, and not undone with the caller's transaction. Each method has an async twin (`aget`).
    Called itself, it declares a state trigger: `state("orders", events=["updated"])`.

    `ttl` is the number of seconds after which the item is not there any more. `if_version` is the
    version that the item must have for a write to be made, 0 for one that must not be there.

    Raises `InvalidKey`, `InvalidOption`, `InvalidUpdate`, `PayloadError` and `VersionConflict`,
    having changed nothing, and `StoreUnavailable`.
    """

    __call__ = staticmethod(state_changed)

    def get(self, group: str, key: str) -> Any:
        """Return an item's value, or None."""
        group, key = _place(group, key)
        _note("get", group=group, key=key)
        return none_if_missing(state_store().get(group, key))

    def get_item(self, group: str, key: str) -> Item | None:
        """Return an item with its version and expiry, or None."""
        group, key = _place(group, key)
        _note("get", group=group, key=key)
        return state_store().item(group, key)

    def get_many(self, group: str, keys: Iterable[str]) -> dict[str, Any]:
        """Return the values of those of these items that are there, by key, read together."""
        group, wanted = checked_key("group", group), checked_keys(keys)
        _note("get_many", group=group, count=len(wanted))
        return state_store().get_many(group, wanted)

    def set(
        self,
        group: str,
        key: str,
        value: Any,
        *,
        ttl: float | None = None,
        if_version: int | None = None,
    ) -> Changed:
        """Write an item; return `{"old_value", "new_value", "version"}`. Without `ttl` it stays."""
        group, key = _place(group, key)
        return _write_one(
            "set",
            Write(
                group=group,
                key=key,
                text=_text(group, key, value),
                expires_at=expiry(ttl),
                if_version=checked_version(if_version),
            ),
        )

    def set_many(
        self, group: str, values: Mapping[str, Any], *, ttl: float | None = None
    ) -> dict[str, Changed]:
        """Write several items of one group, all or none; return by key what `set` returns."""
        group = checked_key("group", group)
        until = expiry(ttl)
        texts = {key: _text(group, key, value) for key, value in by_key(values).items()}
        writes = [
            Write(group=group, key=key, text=text, expires_at=until) for key, text in texts.items()
        ]
        changes = _write("set_many", group, writes)
        return {each.key: _told(each) for each in changes}

    def update(
        self,
        group: str,
        key: str,
        ops: Ops,
        *,
        ttl: float | None = None,
        if_version: int | None = None,
    ) -> Changed:
        """Apply operations to an item, all or none; return what `set` returns.

        Operations are `{"type": "set", "path": "address.city", "value": "Oslo"}`, and `merge`,
        `increment`, `decrement`, `append`, `remove`; a missing item begins as an empty object.
        Or `ops` is a function of the value, or of None, that returns the new one.
        Without `ttl` the item expires when it did before.
        """
        group, key = _place(group, key)
        return _write_one(
            "update",
            Write(
                group=group,
                key=key,
                compute=lambda old: _text(group, key, updated(old, ops)),
                expires_at=expiry(ttl),
                keeps_expiry=ttl is None,
                if_version=checked_version(if_version),
            ),
        )

    def update_many(
        self, group: str, ops: Mapping[str, Ops], *, ttl: float | None = None
    ) -> dict[str, Changed]:
        """Apply to several items of one group each its operations, all or none, as `update` does.

        The items are locked in the order of their keys, so that two such calls never deadlock.
        Return by key what `set` returns.
        """
        group = checked_key("group", group)
        until = expiry(ttl)
        writes = [
            Write(
                group=group,
                key=key,
                compute=partial(_updated, own, group, key),
                expires_at=until,
                keeps_expiry=ttl is None,
            )
            for key, own in by_key(ops).items()
        ]
        changes = _write("update_many", group, writes)
        return {each.key: _told(each) for each in changes}

    def delete(self, group: str, key: str, *, if_version: int | None = None) -> Any:
        """Remove an item; return the value it had, or None."""
        group, key = _place(group, key)
        write = Write(group=group, key=key, if_version=checked_version(if_version))
        return _write_one("delete", write)["old_value"]

    def list(self, group: str) -> Values:
        """Return the values of a group, in the order of their keys."""
        group = checked_key("group", group)
        _note("list", group=group)
        return state_store().values(group)

    def items(self, group: str, *, after: str | None = None, limit: int | None = None) -> Pairs:
        """Return the (key, value) pairs of a group, in the order of the keys' code points.

        A large group is read page by page: at most `limit` pairs, from the first key `after` the
        last one of the page before, whatever is written and deleted meanwhile.
        """
        group = checked_key("group", group)
        if after is not None:
            after = checked_key("after", after)
        _note("list", group=group)
        return state_store().items(group, after=after, limit=checked_limit(limit))

    def list_groups(self) -> Names:
        """Return the names of all groups that hold an item, sorted."""
        return state_store().groups()

    def clear(self, group: str) -> int:
        """Delete every item of a group, each as its own change; return how many there were.

        It goes from key to key in batches of several hundred, each in a transaction of its own
        unless the caller has one. What others write meanwhile behind that place stays.
        """
        group = checked_key("group", group)
        count, after = 0, None
        while True:
            page = state_store().items(group, after=after, limit=_CLEARED_AT_ONCE)
            if not page:
                return count
            after = page[-1][0]
            changes = _write("clear", group, [Write(group=group, key=key) for key, _ in page])
            count += sum(each.happened for each in changes)

    async def aget(self, group: str, key: str) -> Any:
        """Return an item's value, or None."""
        return await aside(self.get, group, key)

    async def aget_item(self, group: str, key: str) -> Item | None:
        """Return an item with its version and expiry, or None."""
        return await aside(self.get_item, group, key)

    async def aget_many(self, group: str, keys: Iterable[str]) -> dict[str, Any]:
        """Return the values of those of these items that are there, by key."""
        return await aside(self.get_many, group, keys)

    async def aset(
        self,
        group: str,
        key: str,
        value: Any,
        *,
        ttl: float | None = None,
        if_version: int | None = None,
    ) -> Changed:
        """Write an item; return `{"old_value", "new_value", "version"}`."""
        return await aside(self.set, group, key, value, ttl=ttl, if_version=if_version)

    async def aset_many(
        self, group: str, values: Mapping[str, Any], *, ttl: float | None = None
    ) -> dict[str, Changed]:
        """Write several items of one group, all or none."""
        return await aside(self.set_many, group, values, ttl=ttl)

    async def aupdate(
        self,
        group: str,
        key: str,
        ops: Ops,
        *,
        ttl: float | None = None,
        if_version: int | None = None,
    ) -> Changed:
        """Apply operations to an item, all or none."""
        return await aside(self.update, group, key, ops, ttl=ttl, if_version=if_version)

    async def aupdate_many(
        self, group: str, ops: Mapping[str, Ops], *, ttl: float | None = None
    ) -> dict[str, Changed]:
        """Apply to several items of one group each its operations, all or none."""
        return await aside(self.update_many, group, ops, ttl=ttl)

    async def adelete(self, group: str, key: str, *, if_version: int | None = None) -> Any:
        """Remove an item; return the value it had, or None."""
        return await aside(self.delete, group, key, if_version=if_version)

    async def alist(self, group: str) -> Values:
        """Return the values of a group, in the order of their keys."""
        return await aside(self.list, group)

    async def aitems(
        self, group: str, *, after: str | None = None, limit: int | None = None
    ) -> Pairs:
        """Return the (key, value) pairs of a group, in the order of the keys."""
        return await aside(self.items, group, after=after, limit=limit)

    async def alist_groups(self) -> Names:
        """Return the names of all groups that hold an item, sorted."""
        return await aside(self.list_groups)

    async def aclear(self, group: str) -> int:
        """Delete every item of a group; return how many there were."""
        return await aside(self.clear, group)


class AsyncState:
    """State as an `async def` handler gets it: the same names, awaited."""

    def __init__(self, state: State) -> None:
        self.get = at_once(state.aget, "ctx.state.get")
        self.get_item = at_once(state.aget_item, "ctx.state.get_item")
        self.get_many = at_once(state.aget_many, "ctx.state.get_many")
        self.set = at_once(state.aset, "ctx.state.set")
        self.set_many = at_once(state.aset_many, "ctx.state.set_many")
        self.update = at_once(state.aupdate, "ctx.state.update")
        self.update_many = at_once(state.aupdate_many, "ctx.state.update_many")
        self.delete = at_once(state.adelete, "ctx.state.delete")
        self.list = at_once(state.alist, "ctx.state.list")
        self.items = at_once(state.aitems, "ctx.state.items")
        self.list_groups = at_once(state.alist_groups, "ctx.state.list_groups")
        self.clear = at_once(state.aclear, "ctx.state.clear")


state = State()


def look_after(limit: int) -> int:
    """Delete what has expired, and tell of changes that nobody was told of; return how many."""
    return state_store().look_after(limit, WATCHERS)


def _place(group: Any, key: Any) -> tuple[str, str]:
    return checked_key("group", group), checked_key("key", key)


def _text(group: str, key: str, value: Any) -> str:
    try:
        return text_of(value)
    except PayloadError as error:
        raise error.within(f"state: {group}/{key}") from error.__cause__


def _updated(ops: Ops, group: str, key: str, old: Any) -> str:
    try:
        return _text(group, key, updated(old, ops))
    except InvalidUpdate as error:
        raise InvalidUpdate(f"{key}: {error}") from error


def _write_one(operation: str, write: Write) -> Changed:
    tracing.check_lease()
    [change] = state_store().write([write], WATCHERS)
    told = _told(change)
    old, new = told["old_value"], told["new_value"]
    _note_write(operation, group=write.group, key=write.key, old=old, new=new)
    return told


def _write(operation: str, group: str, writes: Sequence[Write]) -> Sequence[Change]:
    tracing.check_lease()
    changes = state_store().write(writes, WATCHERS) if writes else []
    _note_write(operation, group=group, count=len(changes))
    return changes


def _told(change: Change) -> Changed:
    return {
        "old_value": none_if_missing(change.old),
        "new_value": none_if_missing(change.new),
        "version": change.version or None,
    }


def _note(operation: str, **facts: Any) -> None:
    tracing.note("state", operation=operation, **facts)


def _note_write(operation: str, **facts: Any) -> None:
    tracing.note("state", state_store().database, operation=operation, **facts)
