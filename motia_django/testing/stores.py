"""Where state lives while a test goes on: the project's own store, or one in memory."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any

from django.conf import settings as django_settings
from django.test import override_settings

from motia_django import stores
from motia_django.conf import MEMORY_STATE, REDIS_STATE, settings

_WORDS = ("project", "memory")


def store_of_tests(state: str | None) -> AbstractContextManager[Any]:
    """Return what puts the store for a test in its place, empty if it is in memory."""
    if state not in (*_WORDS, None):
        raise ValueError(f"state: expected one of {', '.join(_WORDS)}, or None, got {state!r}")
    backend = settings().state["BACKEND"]
    is_kept = state == "project" or (state is None and backend != REDIS_STATE)
    return nullcontext() if is_kept and backend != MEMORY_STATE else _InMemory()


class _InMemory(ExitStack):
    def __enter__(self) -> _InMemory:
        motia = {**getattr(django_settings, "MOTIA", {}), "STATE": {"BACKEND": MEMORY_STATE}}
        self.enter_context(override_settings(MOTIA=motia))
        stores.forget()
        self.callback(stores.forget)
        return self
