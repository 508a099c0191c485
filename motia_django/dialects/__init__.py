"""Motia's older dialects: what a file says in their words is read as if it were said in today's.

Each is one small module that rewrites the config and fits the handler when a file is loaded, so
that whatever runs a Step knows one model only. It is loaded with the first file in its words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from motia_django.dialects import release, streams
from motia_django.dialects.declared import Declared, by_people
from motia_django.dialects.signatures import takes_emit
from motia_django.triggers.base import OLD_NAMES

__all__ = ["Declared", "modern", "modern_stream"]

_ROOT_WORDS = frozenset({"type", "emits", "subscribes", "infrastructure"})
"""Keys that no config has in today's words."""
_TRIGGER_WORDS = ("infrastructure", "subscribes")
"""Keys that no trigger has in today's words."""
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
        if _is_early(config, executor):
            from motia_django.dialects import early

            return early.read(config, executor)
        if "triggers" not in config and "type" in config:
            from motia_django.dialects import flat

            return flat.read(config, handler)
        if not _ROOT_WORDS.isdisjoint(config) or _has_old_words(config.get("triggers")):
            from motia_django.dialects import alpha

            return alpha.read(config, handler)
    return release.read(module, config, handler)


def _is_early(config: Mapping[str, Any], handler: Any) -> bool:
    """Return whether a config has topics and no type, or its handler is given `emit`."""
    if "triggers" in config:
        return False
    return ("subscribes" in config and "type" not in config) or takes_emit(handler)


def _has_old_words(triggers: Any) -> bool:
    """Return whether one in a list of triggers has a type, or a key, of Motia 1.0-alpha only."""
    return isinstance(triggers, list | tuple) and any(
        isinstance(each, Mapping)
        and (each.get("type") in [*OLD_NAMES] or any(key in each for key in _TRIGGER_WORDS))
        for each in triggers
    )
