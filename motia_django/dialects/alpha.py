"""Motia 1.0-alpha: triggers of type api and event, `emits`, and at the root what 0.x had there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from motia_django.dialects import triggers
from motia_django.dialects.conditions import OLD_WORDS, asked
from motia_django.dialects.contexts import OldContext
from motia_django.dialects.declared import Declared, Keys, functions, given, listed, rest, sent
from motia_django.dialects.handlers import Habits, fitted
from motia_django.dialects.release import streaming
from motia_django.dialects.requests import TriggerInput
from motia_django.dialects.signatures import takes
from motia_django.triggers.base import OLD_NAMES
from motia_django.triggers.exchange import Request

_DUE = frozenset({"schedule", "expression", "cron"})
_REWRITTEN = {
    "http": ("type", "method", "path", "middleware", *triggers.OF_HTTP, "input"),
    "queue": ("type", "topic", "input", "config", "infrastructure"),
}


def read(config: Mapping[str, Any], handler: Any) -> Declared:
    """Return what a file of Motia 1.0-alpha declares."""
    root = given(config)
    declared = [given(each) for each in listed(root.get("triggers")) if isinstance(each, Mapping)]
    old = [each for one in declared for each in _of_one_topic(one)]
    habits = Habits(
        flows=tuple(listed(root.get("flows"))),
        middleware=functions(root.get("middleware")),
        own_middleware={at: functions(each.get("middleware")) for at, each in enumerate(old)},
        **_first_habits(old) if takes(TriggerInput, handler) else _habits(old, handler),
    )
    made = [asked(_trigger(each, root), at) for at, each in enumerate(old)]
    new = {**rest(root), "triggers": made, "enqueues": sent(root)}
    return Declared(config=new, handler=fitted(streaming(handler), habits), is_old=True)


def _habits(old: list[Keys], handler: Any) -> Keys:
    words = {at: str(each.get("type")) for at, each in enumerate(old)}
    return {"words": words, "gives_request": takes(Request, handler)}


def _first_habits(old: list[Keys]) -> Keys:
    """Return the habits of the first of these versions, in which no type had today's name."""
    types = [str(each.get("type")) for each in old]
    words = {at: OLD_WORDS.get(word, word) for at, word in enumerate(types)}
    return {"words": words, "gives_request": True, "arguments": _first_arguments}


def _first_arguments(input: Any, context: OldContext) -> tuple[Any, ...]:
    return TriggerInput(input, context), context


def _of_one_topic(trigger: Keys) -> list[Keys]:
    """Return a trigger for each topic of `subscribes`, which the first of these versions had."""
    others = {key: value for key, value in trigger.items() if key != "subscribes"}
    return [{**others, "topic": each} for each in listed(trigger.get("subscribes"))] or [trigger]


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
