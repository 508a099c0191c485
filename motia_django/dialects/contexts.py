"""The context that handlers of older dialects are given: `context.emit`, state as it answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from types import SimpleNamespace
from typing import Any, ClassVar

from motia_django.dialects.keywords import folded
from motia_django.dialects.state import Kept, OldState
from motia_django.triggers.base import Spelled
from motia_django.twofold import settled

_MESSAGE = (
    "topic",
    "data",
    "delaySeconds",
    "messageGroupId",
    "dedupeKey",
    "dedupeFor",
    "newTrace",
)


class OldContext(Spelled):
    """The context of a run, with the names that it had in older dialects.

    What is called in an `async def` handler is begun at once, whether it is awaited or not.
    """

    utils: ClassVar[Any] = SimpleNamespace(dates=SimpleNamespace(now=partial(datetime.now, UTC)))
    """What published Steps ask of it: `context.utils.dates.now()`."""

    def __init__(
        self, ctx: Any, word: str, flows: Sequence[str] = (), *, wraps_state: bool = False
    ) -> None:
        self._ctx, self._word = ctx, word
        self.flows = list(flows)
        """The flows that the Step says it is part of."""
        self.state: Any = OldState(ctx.state, as_in_flat=wraps_state)
        self.streams = OldStreams(ctx.streams, as_in_flat=wraps_state)

    @property
    def trigger(self) -> Any:
        """What started the run, its type in the file's own word."""
        return _Renamed(self._ctx.trigger, self._word)

    @folded
    async def emit(self, message: Any, data: Any = None) -> None:
        """Send a message, or a list of them; what 0.x did not read of it is left out."""
        if isinstance(message, str):
            message = {"topic": message, "data": data}
        many = message if isinstance(message, list | tuple) else [message]
        await settled(self._ctx.enqueue([_read(each) for each in many]))

    enqueue = emit

    def is_api(self) -> bool:
        """Return whether an HTTP request started this run."""
        return bool(self._ctx.is_http())

    def is_event(self) -> bool:
        """Return whether a message started this run."""
        return bool(self._ctx.is_queue())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ctx, name)


def _read(message: Any) -> Any:
    if not isinstance(message, Mapping):
        return message
    known = {key: message[key] for key in _MESSAGE if key in message}
    return {"topic": message.get("type"), **known}  # so it was called at first


class _Renamed:
    """What started a run, its type in another word."""

    def __init__(self, trigger: Any, type: str) -> None:
        self._trigger, self.type = trigger, type

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trigger, name)


class OldStreams:
    """All streams by name, as attributes or items."""

    def __init__(self, streams: Any, *, as_in_flat: bool) -> None:
        self._streams, self._as_in_flat = streams, as_in_flat

    def __getitem__(self, name: str) -> OldStream:
        return OldStream(self._streams[name], as_in_flat=self._as_in_flat)

    def __getattr__(self, name: str) -> OldStream:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Return a stream, or `default` if there is none of that name."""
        return OldStreams.__getitem__(self, name) if name in self else default

    def __contains__(self, name: object) -> bool:
        return name in self._streams

    def __iter__(self) -> Any:
        return iter(self._streams)


class OldStream:
    """One stream, with the names and the answers that it had in older dialects."""

    def __init__(self, stream: Any, *, as_in_flat: bool) -> None:
        self._stream, self._as_in_flat = stream, as_in_flat

    @folded
    async def get(self, group: Any, item: Any) -> Any:
        """Return an item, or None."""
        value = await settled(self._stream.get(str(group), str(item)))
        return Kept(value) if isinstance(value, dict) else value

    @folded
    async def set(self, group: Any, item: Any, data: Any) -> Any:
        """Write an item; in 0.x it answers the item."""
        changed = await settled(self._stream.set(str(group), str(item), data))
        return changed["new_value"] if self._as_in_flat else changed

    @folded
    async def delete(self, group: Any, item: Any) -> Any:
        """Remove an item; return what it was."""
        return await settled(self._stream.delete(str(group), str(item)))

    @folded
    async def get_group(self, group: Any) -> Any:
        """Return the items of a group."""
        return await settled(self._stream.list(str(group)))

    getGroup = list = get_group

    @folded
    async def send(self, channel: Any, event: Any) -> None:
        """Tell an event to the followers of a group, or of one item."""
        await settled(self._stream.send(channel, event))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
