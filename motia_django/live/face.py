"""Streams as handlers and the rest of a project use them: `Stream("orders")`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from asgiref.sync import sync_to_async

from motia_django import dispatch, payloads, telemetry, tracing
from motia_django.exceptions import InvalidItem
from motia_django.live import items
from motia_django.registry import registry
from motia_django.stores.base import MISSING, checked_key, none_if_missing
from motia_django.stores.updates import updated
from motia_django.stream_config import StreamConfig

Items = list[Any]
Names = list[str]
Changed = dict[str, Any]
"""`{"old_value": ..., "new_value": ...}`; None where there was, or is, no item."""
Ops = Sequence[Mapping[str, Any]] | Callable[[Any], Any]

_NO_ID = (None, "")
"""What an item may hold as its id and be given its own."""


@telemetry.traced("stream", ("group", "item"))
class Stream:
    """One stream: items by group that browsers follow live, such as `Stream("orders")`.

    Groups and items are named by strings of 1 to 255 characters; an item is a JSON object that
    holds its id under `id`, which is put there if it is missing. Each write, and each event that is
    sent, is told to everybody who follows the item or its group, and starts the Steps that watch
    it; all of that joins the caller's transaction. Each method has an async twin (`aset`).

    Raises `UnknownStream` (when it is used), `InvalidKey`, `InvalidItem`, `InvalidInput` (the
    schema), `InvalidUpdate` and `PayloadError`, having changed nothing.
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

    def set(self, group: str, item: str, value: Any) -> Changed:
        """Write an item; return `{"old_value", "new_value"}`."""
        _, group, item = self._place(group, item)
        plain = self._plain(group, item, value)
        return self._write("set", group, item, lambda old: plain)

    def update(self, group: str, item: str, ops: Ops) -> Changed:
        """Apply operations to an item, all or none; return `{"old_value", "new_value"}`.

        They are those of `state.update`; a missing item begins as an object with its id.
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
        )

    def delete(self, group: str, item: str) -> Any:
        """Remove an item; return what it was, or None."""
        _, group, item = self._place(group, item)
        return self._write("delete", group, item, lambda old: MISSING)["old_value"]

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
        group, item = _channel(channel, item)
        if item is None:
            name, group = self._place(group)
        else:
            name, group, item = self._place(group, item)
        plain = payloads.plain(_sent(event, data))
        tracing.check_lease()
        items.send(name, group, item, plain, dispatch.stream_changed)
        _note("send", stream=name, group=group, item=item, event=plain)

    async def aget(self, group: str, item: str) -> Any:
        """Return an item, or None."""
        return await sync_to_async(self.get)(group, item)

    async def aset(self, group: str, item: str, value: Any) -> Changed:
        """Write an item; return `{"old_value", "new_value"}`."""
        return await sync_to_async(self.set)(group, item, value)

    async def aupdate(self, group: str, item: str, ops: Ops) -> Changed:
        """Apply operations to an item, all or none."""
        return await sync_to_async(self.update)(group, item, ops)

    async def adelete(self, group: str, item: str) -> Any:
        """Remove an item; return what it was, or None."""
        return await sync_to_async(self.delete)(group, item)

    async def alist(self, group: str) -> Items:
        """Return the items of a group, in the order of their ids."""
        return await sync_to_async(self.list)(group)

    async def aget_group(self, group: str) -> Items:
        """Return the items of a group, in the order of their ids."""
        return await sync_to_async(self.list)(group)

    async def alist_groups(self) -> Names:
        """Return the names of all groups that hold an item, sorted."""
        return await sync_to_async(self.list_groups)()

    async def asend(
        self, channel: str | Mapping[str, Any], event: Any, data: Any = None, *, item: Any = None
    ) -> None:
        """Tell an event to the followers of a group, or of one item."""
        await sync_to_async(self.send)(channel, event, data, item=item)

    def _config(self) -> StreamConfig:
        return registry().stream(self.name)

    def _place(self, group: Any, *item: Any) -> tuple[str, ...]:
        """Return the names of stream, group and item as plain strings, once known as good."""
        where = f"stream {self.name!r}"
        names = [checked_key("group", group, where)]
        names += [checked_key("item", each, where) for each in item]
        return (self._config().name, *names)

    def _plain(self, group: str, item: str, value: Any) -> Any:
        """Return an item as it is kept, by the schema and with its id."""
        subject = f"The item {group}/{item} of stream {self.name!r}"
        schema = self._config().schema
        if isinstance(value, Mapping) and value.get("id") in _NO_ID:
            value = {**value, "id": item}
        plain = payloads.plain(value) if schema is None else schema.dump(value, subject)
        if not isinstance(plain, dict):
            raise InvalidItem(f"{subject}: expected an object, got {payloads.shown(value)}")
        own = plain.get("id")
        if own in _NO_ID:
            return {**plain, "id": item}
        if str(own) != item:
            raise InvalidItem(f"{subject}: its id is {payloads.shown(own)}")
        return plain

    def _write(self, operation: str, group: str, item: str, value: Any) -> Changed:
        tracing.check_lease()
        written = items.write(self._config().name, group, item, value, dispatch.stream_changed)
        old, new = none_if_missing(written.old), none_if_missing(written.new)
        _note(operation, stream=self.name, group=group, item=item, old=old, new=new)
        return {"old_value": old, "new_value": new}


class AsyncStream:
    """A stream as an `async def` handler gets it: the same names, awaited."""

    def __init__(self, stream: Stream) -> None:
        self.name = stream.name
        self.get = stream.aget
        self.set = stream.aset
        self.update = stream.aupdate
        self.delete = stream.adelete
        self.list = stream.alist
        self.get_group = stream.aget_group
        self.list_groups = stream.alist_groups
        self.send = stream.asend


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
        return AsyncStream(streams[name])

    def __getattr__(self, name: str) -> AsyncStream:
        return self[_attribute(name)]

    def __iter__(self) -> Iterator[str]:
        return iter(streams)

    def __contains__(self, name: object) -> bool:
        return name in streams


streams = Streams()


def _attribute(name: str) -> str:
    """Return the name of a stream that is asked for as an attribute."""
    if name.startswith("__"):
        raise AttributeError(name)
    return name


def _channel(channel: Any, item: Any) -> tuple[Any, Any]:
    if not isinstance(channel, Mapping):
        return channel, item
    spellings = {"groupId": "group", "group_id": "group", "id": "item", "itemId": "item"}
    spellings["item_id"] = "item"
    named = {spellings[key]: value for key, value in channel.items() if key in spellings}
    if len(named) != len(channel) or "group" not in named:
        raise InvalidItem(
            f'send: expected a group or {{"groupId", "id"}}, got {payloads.shown(channel)}'
        )
    return named["group"], named.get("item", item)


def _sent(event: Any, data: Any) -> dict[str, Any]:
    """Return an event as it is told: `{"type", "data"}`."""
    if isinstance(event, str) and event:
        return {"type": event, "data": data}
    known = isinstance(event, Mapping) and set(event) <= {"type", "data"} and data is None
    if known and isinstance(event.get("type"), str) and event["type"]:
        return {"type": event["type"], "data": event.get("data")}
    raise InvalidItem(
        f'send: expected the type of an event or {{"type", "data"}}, got {payloads.shown(event)}'
    )


def _note(operation: str, **facts: Any) -> None:
    tracing.note("stream", operation=operation, **facts)
