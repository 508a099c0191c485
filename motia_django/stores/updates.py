"""The operations of `state.update`: applied in order, all or none."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from motia_django import payloads
from motia_django.exceptions import InvalidUpdate, PayloadError, did_you_mean
from motia_django.stores.base import MISSING

Path = tuple[str, ...]


def updated(old: Any, ops: Any, where: str = "state.update") -> Any:
    """Return a copy of `old` with `ops` applied; a missing item begins as an empty object.

    Each op is `{"type": "set" | "merge" | "increment" | "decrement" | "append" | "remove", "path":
    "a.b" or ["a", "b"], "value": ..., "by": ...}`; an empty or absent path is the whole value. A
    list takes its segments literally, a string is split at its dots. Missing objects on the way are
    made. Raise `InvalidUpdate`, naming the call (`where`), the op and the path.

    Motia's `{"op": ..., "path": "/a/b"}` is the same. In the place of all ops may stand a function
    of the value, or of None for what is missing, that returns the new one.
    """
    if callable(ops):
        return ops(None if old is MISSING else payloads.plain(old))
    if isinstance(ops, Mapping) or not isinstance(ops, Sequence) or isinstance(ops, str):
        raise InvalidUpdate(f"{where}: expected a list of operations, got {ops!r:.200}")
    root: dict[str, Any] = {"": {} if old is MISSING else payloads.plain(old)}
    for index, op in enumerate(ops):
        _apply(root, _Op(f"{where}: operation {index}", op))
    return root[""]


class _Op:
    """One operation, read and checked."""

    def __init__(self, where: str, raw: Any) -> None:
        self.where = where
        if not isinstance(raw, Mapping):
            raise InvalidUpdate(f"{self.where}: expected a dict, got {raw!r:.200}")
        self.is_pointer = "op" in raw
        self.type = str(raw.get("type", raw.get("op")))
        if self.type not in _OPERATIONS:
            hint = did_you_mean(self.type, _OPERATIONS)
            raise InvalidUpdate(f"{self.where}: unknown type {self.type!r}.{hint}")
        unknown = [key for key in raw if key not in ("type", "op", "path", "value", "by")]
        if unknown:
            raise InvalidUpdate(f"{self.where}: unknown key {unknown[0]!r}")
        self.path = self._path(raw.get("path"))
        self.where = f"{self.where} ({self.type} at {'.'.join(self.path) or 'the whole value'})"
        self.value = self._value(raw)

    def wrong(self, expected: str, got: Any) -> InvalidUpdate:
        """Return the error for a value that the operation cannot work on."""
        return InvalidUpdate(f"{self.where}: expected {expected}, found {got!r:.200}")

    def _path(self, path: Any) -> Path:
        if path is None or path == "":
            return ()
        if isinstance(path, str) and self.is_pointer and path.startswith("/"):
            return tuple(path[1:].split("/"))
        if isinstance(path, str):
            return tuple(path.split("."))
        if isinstance(path, list | tuple) and all(isinstance(part, str) for part in path):
            return tuple(path)
        raise InvalidUpdate(
            f"{self.where}: path: expected a string or a list of strings, got {path!r}"
        )

    def _value(self, raw: Mapping[str, Any]) -> Any:
        if self.type in ("increment", "decrement"):
            by = raw.get("by", raw.get("value", 1))
            if isinstance(by, bool) or not isinstance(by, int | float) or not _finite(by):
                raise InvalidUpdate(f"{self.where}: by: expected a number, got {by!r:.100}")
            return by
        if self.type != "remove" and "value" not in raw:
            raise InvalidUpdate(f"{self.where}: the key 'value' is missing")
        try:
            return payloads.plain(raw.get("value"))
        except PayloadError as error:
            raise InvalidUpdate(f"{self.where}: value: {error}") from error


def _apply(root: dict[str, Any], op: _Op) -> None:
    parent, key = _target(root, op)
    if isinstance(parent, dict):
        _OPERATIONS[op.type](parent, key, op)


def _target(root: dict[str, Any], op: _Op) -> tuple[dict[str, Any] | None, str]:
    """Return the object that holds the path's last segment, and that segment."""
    parent, key = root, ""
    for part in op.path:
        inner = parent.get(key, MISSING)
        if inner is MISSING or (inner is None and key):
            if op.type == "remove":
                return None, part
            inner = parent[key] = {}
        if not isinstance(inner, dict):
            raise op.wrong(f"an object to hold {part!r}", inner)
        parent, key = inner, part
    return parent, key


def _set(parent: dict[str, Any], key: str, op: _Op) -> None:
    parent[key] = op.value


def _merge(parent: dict[str, Any], key: str, op: _Op) -> None:
    if not isinstance(op.value, dict):
        raise op.wrong("an object as value", op.value)
    present = parent.setdefault(key, {})
    if not isinstance(present, dict):
        raise op.wrong("an object", present)
    present.update(op.value)


def _increment(parent: dict[str, Any], key: str, op: _Op) -> None:
    present = parent.get(key, 0)
    if isinstance(present, bool) or not isinstance(present, int | float):
        raise op.wrong("a number", present)
    try:
        parent[key] = present + (op.value if op.type == "increment" else -op.value)
    except OverflowError:
        parent[key] = math.inf
    if not _finite(parent[key]):
        raise op.wrong("a number that leaves room for it", present)


def _finite(number: float) -> bool:
    return isinstance(number, int) or math.isfinite(number)


def _append(parent: dict[str, Any], key: str, op: _Op) -> None:
    present = parent.setdefault(key, [])
    if not isinstance(present, list):
        raise op.wrong("a list", present)
    present.append(op.value)


def _remove(parent: dict[str, Any], key: str, op: _Op) -> None:
    if not op.path:
        raise op.wrong("a path to remove (delete removes the item)", parent[key])
    parent.pop(key, None)


_OPERATIONS: dict[str, Callable[[dict[str, Any], str, _Op], None]] = {
    "set": _set,
    "merge": _merge,
    "increment": _increment,
    "decrement": _increment,
    "append": _append,
    "remove": _remove,
}
