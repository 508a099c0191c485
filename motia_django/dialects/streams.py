"""Streams as they were declared: where they are stored, and who is told the context of a join."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from motia_django import calls
from motia_django.dialects.loose import loose
from motia_django.loggers import Logger
from motia_django.triggers.base import Spelled

_STORAGE = ("baseConfig", "base_config")
_LISTENERS = ("onJoin", "on_join", "onLeave", "on_leave")


class JoinContext(Spelled):
    """What a listener of Motia 1.0 is given between the subscription and who it is."""

    def __init__(self) -> None:
        self.logger = Logger()


def modern(config: Any) -> Any:
    """Return a stream's config in today's words: 0.x called the default storage `state`.

    At the schema of one that says where it is stored, as only Motia's do, nobody looked.
    """
    if not isinstance(config, Mapping):
        return config
    new = {key: _listener(value) if key in _LISTENERS else value for key, value in config.items()}
    if any(key in new for key in _STORAGE) and isinstance(new.get("schema"), Mapping):
        new["schema"] = loose(new["schema"])
    for key in _STORAGE:
        stored = new.get(key)
        if isinstance(stored, Mapping) and stored.get("storageType") == "state":
            new[key] = {"storageType": "default"}  # and not the `property` that it had at first
    return new


def _listener(function: Any) -> Any:
    """Return a function of (subscription, auth) that calls one of (subscription, context, auth)."""
    try:
        if calls.arity(function, 3) < 3:
            return function
    except (TypeError, ValueError):
        return function
    return _without_context(function)


def _without_context(function: Callable[..., Any]) -> Callable[..., Any]:
    def listener(subscription: Any, auth: Any) -> Any:
        return function(subscription, JoinContext(), auth)

    listener.__qualname__ = getattr(function, "__qualname__", repr(function))
    return listener
