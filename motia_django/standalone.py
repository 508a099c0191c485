"""State, streams and messages outside of the context, as Motia 1.0 has them: awaited or not."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, Generic

from typing_extensions import TypeVar

from motia_django import dispatch
from motia_django.dialects import by_name
from motia_django.dialects.several import STREAMS, register
from motia_django.live import face
from motia_django.stores.face import state
from motia_django.twofold import twofold

Item = TypeVar("Item", default=dict[str, Any])

__all__ = ["StateManager", "Stream", "enqueue", "stateManager", "state_manager", "stream_wrapper"]

if TYPE_CHECKING:

    class Sent(list[str]):
        """The ids of runs; in async code it is awaited for them."""

        def __await__(self) -> Generator[Any, Any, list[str]]:
            """Return the ids."""

    def enqueue(message: Any = None, data: Any = None, /, **keys: Any) -> Sent:
        """Send messages as `ctx.enqueue` does; awaited in async code."""
else:
    enqueue = twofold(dispatch.enqueue)

_NAMES = {
    "scope": "group",
    "group_id": "group",
    "groupId": "group",
    "item_id": "item",
    "itemId": "item",
    "data": "value",
}


def _named(function: Callable[..., Any], names: Mapping[str, str] = _NAMES) -> Callable[..., Any]:
    """Return a function as a twofold one that knows its arguments by Motia's names as well."""
    whole = twofold(function)

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            kwargs = {names.get(key, key): value for key, value in kwargs.items()}
        return whole(*args, **kwargs)

    return call


class StateManager:
    """State as Motia 1.0 imports it: `stateManager.set("users", "17", {...})`.

    In async code each method gives what is to be awaited: `await stateManager.get("users", "17")`.
    """

    def __init__(self) -> None:
        names = {**_NAMES, "item_id": "key", "itemId": "key"}
        self.get = _named(state.get, names)
        self.get_many = _named(state.get_many, names)
        self.set = _named(state.set, names)
        self.update = _named(state.update, names)
        self.delete = _named(state.delete, names)
        self.list = self.get_group = _named(state.list, names)
        self.items = _named(state.items, names)
        self.list_groups = _named(state.list_groups, names)
        self.clear = _named(state.clear, names)


stateManager = state_manager = StateManager()  # noqa: N816


class Stream(face.Stream, Generic[Item]):
    """A stream by its name, or its config: `Stream("orders").set("eu", "17", {...})`.

    In async code each method gives what is to be awaited. The twins (`aset`) are always awaited.
    One that a Step's file makes is a stream even if no file declares it.
    """

    def __init__(self, config: str | Mapping[str, Any]) -> None:
        super().__init__(config if isinstance(config, str) else config["name"])
        by_name.hear(config)  # a config says more than a name: it is for a stream's file

    @property
    def stream_name(self) -> str:
        """Its name."""
        return self.name

    if TYPE_CHECKING:

        def get(self, group: str, item: str) -> Any:
            """Return an item, or None."""

        def set(self, group: str, item: str, value: Any, *, ttl: float | None = None) -> Any:
            """Write an item; return `{"old_value", "new_value"}`."""

        def set_many(self, group: str, values: Any, *, ttl: float | None = None) -> Any:
            """Write several items of a group; return by id what `set` returns."""

        def update(self, group: str, item: str, ops: Any, *, ttl: float | None = None) -> Any:
            """Apply operations to an item; return `{"old_value", "new_value"}`."""

        def delete(self, group: str, item: str) -> Any:
            """Remove an item; return what it was, or None."""

        def delete_many(self, group: str, ids: Any) -> Any:
            """Remove several items of a group; return by id what `delete` returns."""

        def list(self, group: str) -> Any:
            """Return the items of a group."""

        def get_group(self, group: str) -> Any:
            """Return the items of a group."""

        def list_groups(self) -> Any:
            """Return the names of all groups that hold an item."""

        def send(self, channel: Any, event: Any, data: Any = None, *, item: Any = None) -> Any:
            """Tell an event to the followers of a group, or of one item."""
    else:
        get = _named(face.Stream.get)
        set = _named(face.Stream.set)
        set_many = _named(face.Stream.set_many)
        update = _named(face.Stream.update)
        delete = _named(face.Stream.delete)
        delete_many = _named(face.Stream.delete_many)
        list = _named(face.Stream.list)
        get_group = _named(face.Stream.get_group)
        list_groups = _named(face.Stream.list_groups)
        send = _named(face.Stream.send)


def stream_wrapper(config: Any, stream_path: str) -> Stream[Any]:
    """Declare a stream, at the end of a file, or one of several that it holds; return it.

    Of a `config` that the file calls so it need not be said.
    """
    register(STREAMS, config)
    return Stream(config)
