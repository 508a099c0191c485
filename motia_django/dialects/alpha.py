"""Motia 1.0-alpha: triggers of type api and event, `emits`, and at the root what 0.x had there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from motia_django.dialects import triggers
from motia_django.dialects.declared import Declared, Keys, functions, given, listed, rest, sent
from motia_django.dialects.handlers import Habits, fitted
from motia_django.dialects.release import streaming
from motia_django.dialects.signatures import takes_request
from motia_django.triggers.base import OLD_NAMES

_DUE = frozenset({"schedule", "expression", "cron"})
_REWRITTEN = {
    "http": ("type", "method", "path", "middleware", *triggers.OF_HTTP, "input"),
    "queue": ("type", "topic", "input", "config", "infrastructure"),
}


def is_spoken(declared: Any) -> bool:
    """Return whether a list of triggers has one with a type, or a key, that is known only here."""
    return isinstance(declared, list | tuple) and any(
        isinstance(each, Mapping) and (each.get("type") in [*OLD_NAMES] or "infrastructure" in each)
        for each in declared
    )


def read(config: Mapping[str, Any], handler: Any) -> Declared:
    """Return what a file of Motia 1.0-alpha declares."""
    root = given(config)
    old = [given(each) for each in listed(root.get("triggers")) if isinstance(each, Mapping)]
    habits = Habits(
        flows=tuple(listed(root.get("flows"))),
        middleware=functions(root.get("middleware")),
        own_middleware={at: functions(each.get("middleware")) for at, each in enumerate(old)},
        words={at: str(each.get("type")) for at, each in enumerate(old)},
        gives_request=takes_request(handler),
    )
    new = {**rest(root), "triggers": [_trigger(each, root) for each in old], "enqueues": sent(root)}
    return Declared(config=new, handler=fitted(streaming(handler), habits), is_old=True)


def _trigger(old: Keys, root: Keys) -> Keys:
    """Return a trigger; what it leaves out may stand at the root, as it did in 0.x."""
    word = old.get("type")
    kind = OLD_NAMES.get(word, word) if isinstance(word, str) else word
    if kind == "http":
        own = {key: root[key] for key in triggers.OF_HTTP if key in root} | old
        new = triggers.http(own)
    elif kind == "queue":
        own = {key: root[key] for key in ("input", "infrastructure") if key in root} | old
        new = triggers.queue(own.get("topic"), own)
    elif kind == "cron" and _DUE.isdisjoint(old):
        return old | {"schedule": root.get("cron")}
    else:
        return old
    return {key: each for key, each in old.items() if key not in _REWRITTEN[kind]} | new
