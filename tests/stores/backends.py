"""Every store of state there is, made the project's own for a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.test import override_settings

from motia_django import payloads, registry
from motia_django.conf import MEMORY_STATE, ORM_STATE, REDIS_STATE
from motia_django.registry import Registry
from motia_django.stores import state_store
from motia_django.stores.base import MISSING, Audience, Change, StateStore, Write
from motia_django.stores.face import State

NAMES = ("memory", "orm", "redis")
SETTINGS: dict[str, dict[str, Any]] = {
    "memory": {"BACKEND": MEMORY_STATE},
    "orm": {"BACKEND": ORM_STATE},
    "redis": {"BACKEND": REDIS_STATE, "CACHE": "state"},
}


@contextmanager
def in_use(name: str, redis: str) -> Iterator[None]:
    """Make a store that of the project, empty and with nobody watching, for the block."""
    caches = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
        "state": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": redis},
    }
    with (
        registry.installed(Registry()),
        override_settings(MOTIA={"STATE": SETTINGS[name]}, CACHES=caches),
    ):
        for group in state_store().groups():
            State().clear(group)
        yield


class Recorder(Audience):
    """Hears of every change, and remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[Change] = []

    def hears(self, group: str, key: str) -> bool:
        return True

    def tell(self, change: Change) -> None:
        self.told.append(change)

    def events(self) -> list[tuple[str, str, Any, Any]]:
        """Return what happened to which key, with its old and its new value."""
        told = [each.event() for each in self.told]
        return [
            (each.event_type.removeprefix("state:"), each.item_id, each.old_value, each.new_value)
            for each in told
        ]


class Nobody(Audience):
    """Hears of nothing."""

    def hears(self, group: str, key: str) -> bool:
        return False

    def tell(self, change: Change) -> None:
        raise AssertionError(f"nobody is told of {change}")


NOBODY = Nobody()


def put(
    store: StateStore,
    group: str,
    key: str,
    value: Any,
    audience: Audience = NOBODY,
    **options: Any,
) -> Change:
    """Write a value; `MISSING` deletes."""
    text = None if value is MISSING else payloads.dumps(value)
    [change] = store.write([Write(group=group, key=key, text=text, **options)], audience)
    return change


def alter(
    store: StateStore,
    group: str,
    key: str,
    value: Callable[[Any], Any],
    audience: Audience = NOBODY,
    **options: Any,
) -> Change:
    """Write what a function makes of the old value."""
    write = Write(group=group, key=key, compute=lambda old: payloads.dumps(value(old)), **options)
    [change] = store.write([write], audience)
    return change


def each_store(request: pytest.FixtureRequest) -> Iterator[str]:
    """Make the store that a test is parametrised with that of the project."""
    redis = request.getfixturevalue("redis_of_state") if request.param == "redis" else ""
    with in_use(request.param, redis):
        yield request.param
