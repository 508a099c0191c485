"""Motia's older dialects: what a file says in their words is read as if it were said in today's.

Each is one small module that rewrites the config and fits the handler when a file is loaded, so
that whatever runs a Step knows one model only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from motia_django.dialects import alpha, early, flat, release, streams
from motia_django.dialects.declared import Declared, by_people

__all__ = ["Declared", "modern", "modern_stream"]

_ROOT_WORDS = frozenset({"type", "emits", "subscribes", "infrastructure"})
"""Keys that no config has in today's words."""
_VIRTUAL = frozenset(
    {"virtualEnqueues", "virtual_enqueues", "virtualEmits", "virtual_emits"}
    | {"virtualSubscribes", "virtual_subscribes"}
)
"""Keys that say what happens outside of the code."""


def modern(module: Any) -> Declared:
    """Return what a Step file declares, in today's words."""
    declared = _read(module)
    config = declared.config
    is_noop = isinstance(config, Mapping) and config.get("triggers") == []
    return by_people(declared) if is_noop and not _VIRTUAL.isdisjoint(config) else declared


def modern_stream(module: Any) -> Declared:
    """Return what a stream file declares, in today's words."""
    return Declared(config=streams.modern(getattr(module, "config", None)), handler=None)


def _read(module: Any) -> Declared:
    config = getattr(module, "config", None)
    handler = getattr(module, "handler", None)
    if isinstance(config, Mapping):
        executor = getattr(module, "executor", None) if handler is None else handler
        if early.is_spoken(config, executor):
            return early.read(config, executor)
        if "triggers" not in config and "type" in config:
            return flat.read(config, handler)
        if not _ROOT_WORDS.isdisjoint(config) or alpha.is_spoken(config.get("triggers")):
            return alpha.read(config, handler)
    return release.read(module, config, handler)
