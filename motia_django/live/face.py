"""Streams as handlers and the rest of a project use them: `Stream("orders")`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from motia_django import dispatch, payloads, telemetry, tracing
from motia_django.live import items
from motia_django.live.entries import channel_of, event_of, item_of
from motia_django.loops import aside
from motia_django.registry import registry
from motia_django.stores.base import MISSING, by_key, checked_key, checked_keys, none_if_missing
from motia_django.stores.options import expiry
from motia_django.stores.updates import updated
from motia_django.stream_config import StreamConfig
from motia_django.twofold import at_once

Items = list[Any]
Names = list[str]
Changed = dict[str, Any]
"""`{"old_value": ..., "new_value": ...}`; None where there was, or is, no item."""
Ops = Sequence[Mapping[str, Any]] | Callable[[Any], Any]


@telemetry.traced("stream", ("group", "item"))
class Stream:
    """One stream: items by group that browsers follow live, such as `Stream("orders")`.

    Groups and items are named by strings of 1 to 255 characters; an item is a JSON object that
    holds its id under `id`, which is put there if it is missing. Each write, and each event that is
    sent, is told to everybody who follows the item or its group, and starts the Steps that watch
    it; all of that joins the caller's transaction. Each method has an async twin (`aset`).

    Raises `UnknownStream` (when it is used), `InvalidKey`, `InvalidItem`, `InvalidInput` (the
    schema), `InvalidUpdate`, `InvalidOption` and `PayloadError`, having changed nothing. `ttl` is
    the number of seconds after which the item is not there any more.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"Stream({self.name!r})"

    def get(self, group: str, item: str) -> Any:
        """Return an item, or None."""
        name, group, item = self._place(group, item)
        _note("get", stream=name, group=group, item=item)
        return none_if_missing(items.get(name, group, item))

    def set(self, group: str, item: str, value: Any, *, ttl: float | None = None) -> Changed:
        """Write an item; return `{"old_value", "new_value"}`. Without `ttl` it stays."""
        _, group, item = self._place(group, item)
        plain, until = self._plain(group, item, value), self._until(ttl)
        return self._write("set", group, item, lambda old: plain, until)

    def set_many(
        self, group: str, values: Mapping[str, Any], *, ttl: float | None = None
    ) -> dict[str, Changed]:
        """Write several items of a group, all or none; return by id what `set` returns.

        Each is an event, as if it were written alone, in the order of the ids.
        """
        _, group = self._place(group)
        given = by_key(values, f"stream {self.name!r}: set_many")
        plain = {item: self._plain(group, item, value) for item, value in given.items()}
        done = self._all("set_many", group, plain, self._until(ttl))
        return {item: _told(each) for item, each in done.items()}

    def update(self, group: str, item: str, ops: Ops, *, ttl: float | None = None) -> Changed:
        """Apply operations to an item, all or none; return `{"old_value", "new_value"}`.

        They are those of `state.update`; a missing item begins as an object with its id. Without
        `ttl` the item expires when it did before.
        """
        _, group, item = self._place(group, item)
        return self._write(
            "update",
            group,
            item,
            lambda old: self._plain(
                group,
                item,
                updated(
                    {"id": item} if old is MISSING else old, ops, f"stream {self.name!r}: update"
                ),
            ),
            items.KEPT if ttl is None else self._until(ttl),
        )

    def delete(self, group: str, item: str) -> Any:
        """Remove an item; return what it was, or None."""
        _, group, item = self._place(group, item)
        return self._write("delete", group, item, lambda old: MISSING)["old_value"]

    def delete_many(self, group: str, ids: Iterable[str]) -> dict[str, Any]:
        """Remove several items of a group, all or none; return by id what `delete` returns."""
        _, group = self._place(group)
        wanted = checked_keys(ids, f"stream {self.name!r}: delete_many")
        gone = self._all("delete_many", group, dict.fromkeys(wanted, MISSING))
        return {item: none_if_missing(each.old) for item, each in gone.items()}

    def list(self, group: str) -> Items:
        """Return the items of a group, in the order of their ids."""
        name, group = self._place(group)
        _note("list", stream=name, group=group)
        return items.of_group(name, group)

    def get_group(self, group: str) -> Items:
        """Return the items of a group, in the order of their ids; the same as `list`."""
        return self.list(group)

    def list_groups(self) -> Names:
        """Return the names of all groups that hold an item, sorted."""
        return items.groups(self._config().name)

    def send(
        self, channel: str | Mapping[str, Any], event: Any, data: Any = None, *, item: Any = None
    ) -> None:
        """Tell an event to the followers of a group, or of one item; no item changes.

        Write `send("orders", "paid", {"amount": 5}, item="17")`, or, as Motia does,
        `send({"groupId": "orders", "id": "17"}, {"type": "paid", "data": {"amount": 5}})`. Raise
        `InvalidItem` for what is neither.
        """
        group, item = channel_of(channel, item)
        if item is None:
            name, group = self._place(group)
        else:
            name, group, item = self._place(group, item)
        plain = payloads.plain(event_of(event, data))
        tracing.check_lease()
        items.send(name, group, item, plain, dispatch.stream_changed)
        _note_write("send", stream=name, group=group, item=item, event=plain)

    async def aget(self, group: str, item: str) -> Any:
        """Return an item, or None."""
        return await aside(self.get, group, item)

    async def aset(self, group: str, item: str, value: Any, *, ttl: float | None = None) -> Changed:
        """Write an item; return `{"old_value", "new_value"}`."""
        return await aside(self.set, group, item, value, ttl=ttl)

    async def aset_many(
        self, group: str, values: Mapping[str, Any], *, ttl: float | None = None
    ) -> dict[str, Changed]:
        """Write several items of a group, all or none; return by id what `set` returns."""
        return await aside(self.set_many, group, values, ttl=ttl)

    async def aupdate(
        self, group: str, item: str, ops: Ops, *, ttl: float | None = None
    ) -> Changed:
        """Apply operations to an item, all or none."""
        return await aside(self.update, group, item, ops, ttl=ttl)

    async def adelete(self, group: str, item: str) -> Any:
        """Remove an item; return what it was, or None."""
        return await aside(self.delete, group, item)

    async def adelete_many(self, group: str, ids: Iterable[str]) -> dict[str, Any]:
        """Remove several items of a group, all or none; return by id what `delete` returns."""
        return await aside(self.delete_many, group, ids)

    async def alist(self, group: str) -> Items:
        """Return the items of a group, in the order of their ids."""
        return await aside(self.list, group)

    async def aget_group(self, group: str) -> Items:
        """Return the items of a group, in the order of their ids."""
        return await aside(self.list, group)

    async def alist_groups(self) -> Names:
        """Return the names of all groups that hold an item, sorted."""
        return await aside(self.list_groups)

    async def asend(
        self, channel: str | Mapping[str, Any], event: Any, data: Any = None, *, item: Any = None
    ) -> None:
        """Tell an event to the followers of a group, or of one item."""
        await aside(self.send, channel, event, data, item=item)

    def _config(self) -> StreamConfig:
        return registry().stream(self.name)

    def _place(self, group: Any, *item: Any) -> tuple[str, ...]:
        """Return the names of stream, group and item as plain strings, once known as good."""
        where = f"stream {self.name!r}"
        names = [checked_key("group", group, where)]
        names += [checked_key("item", each, where) for each in item]
        return (self._config().name, *names)

    def _plain(self, group: str, item: str, value: Any) -> Any:
        return item_of(self._config(), group, item, value)

    def _until(self, ttl: float | None) -> datetime | None:
        return expiry(ttl, f"stream {self.name!r}")

    def _write(
        self, operation: str, group: str, item: str, value: Any, until: items.Until = None
    ) -> Changed:
        tracing.check_lease()
        name = self._config().name
        written = items.write(name, group, item, value, dispatch.stream_changed, until)
        changed = _told(written)
        old, new = changed["old_value"], changed["new_value"]
        _note_write(operation, stream=self.name, group=group, item=item, old=old, new=new)
        return changed

    def _all(
        self,
        operation: str,
        group: str,
        values: Mapping[str, Any],
        until: datetime | None = None,
    ) -> dict[str, items.Written]:
        tracing.check_lease()
        name = self._config().name
        done = items.write_many(name, group, values, dispatch.stream_changed, until)
        _note_write(operation, stream=self.name, group=group, count=len(done))
        return done


class AsyncStream:
    """A stream as an `async def` handler gets it: the same names, awaited."""

    def __init__(self, stream: Stream) -> None:
        self.name = stream.name
        self.get = at_once(stream.aget, "ctx.streams.get")
        self.set = at_once(stream.aset, "ctx.streams.set")
        self.set_many = at_once(stream.aset_many, "ctx.streams.set_many")
        self.update = at_once(stream.aupdate, "ctx.streams.update")
        self.delete = at_once(stream.adelete, "ctx.streams.delete")
        self.delete_many = at_once(stream.adelete_many, "ctx.streams.delete_many")
        self.list = at_once(stream.alist, "ctx.streams.list")
        self.get_group = at_once(stream.aget_group, "ctx.streams.get_group")
        self.list_groups = at_once(stream.alist_groups, "ctx.streams.list_groups")
        self.send = at_once(stream.asend, "ctx.streams.send")


class Streams:
    """All streams, by name: `streams.orders`, or `streams["chat messages"]`.

    Raises `UnknownStream` with the nearest name.
    """

    def __getitem__(self, name: str) -> Stream:
        return Stream(registry().stream(name).name)

    def __getattr__(self, name: str) -> Stream:
        return self[_attribute(name)]

    def __iter__(self) -> Iterator[str]:
        return iter(registry().streams)

    def __contains__(self, name: object) -> bool:
        return name in registry().streams


class AsyncStreams:
    """All streams as an `async def` handler gets them."""

    def __getitem__(self, name: str) -> AsyncStream:
        return _async_stream(streams[name].name)

    def __getattr__(self, name: str) -> AsyncStream:
        return self[_attribute(name)]

    def __iter__(self) -> Iterator[str]:
        return iter(streams)

    def __contains__(self, name: object) -> bool:
        return name in streams


streams = Streams()


def look_after(limit: int) -> int:
    """Delete items that have expired, and tell of it; return how many."""
    return items.end_expired(limit, dispatch.stream_changed)


@cache
def _async_stream(name: str) -> AsyncStream:
    return AsyncStream(Stream(name))


def _attribute(name: str) -> str:
    """Return the name of a stream that is asked for as an attribute."""
    if name.startswith("__"):
        raise AttributeError(name)
    return name


def _told(written: items.Written) -> Changed:
    return {"old_value": none_if_missing(written.old), "new_value": none_if_missing(written.new)}


def _note(operation: str, **facts: Any) -> None:
    tracing.note("stream", operation=operation, **facts)


def _note_write(operation: str, **facts: Any) -> None:
    tracing.note("stream", items.database, operation=operation, **facts)
