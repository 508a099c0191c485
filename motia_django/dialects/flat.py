"""Motia 0.x: one trigger, its keys at the root of the config; `handler(req, context)`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from motia_django.dialects import triggers
from motia_django.dialects.declared import (
    Declared,
    Keys,
    by_people,
    functions,
    given,
    listed,
    rest,
    sent,
)
from motia_django.dialects.handlers import Habits, fitted

_HABITS = Habits(wraps_state=True, sends_texts=True)


def read(config: Mapping[str, Any], handler: Any, habits: Habits = _HABITS) -> Declared:
    """Return what a file of Motia 0.x declares."""
    old = given(config)
    made = _triggers(old)
    habits = replace(
        habits,
        flows=tuple(listed(old.get("flows"))),
        middleware=functions(old.get("middleware")),
        words=dict.fromkeys(range(len(made)), str(old.get("type"))),
    )
    new = {**rest(old), "triggers": made, "enqueues": sent(old)}
    declared = Declared(config=new, handler=fitted(handler, habits), is_old=True)
    return declared if made else by_people(declared)


def _triggers(old: Keys) -> list[Keys]:
    """Return the triggers; an unknown type is left to be refused."""
    kind = old.get("type")
    if kind == "api":
        return [triggers.http(old)]
    if kind == "event":
        plain = old | _plain_input(old)
        return [triggers.queue(each, plain) for each in listed(old.get("subscribes"))]
    if kind == "cron":
        return [triggers.cron(old)]
    return [] if kind == "noop" else [{"type": kind}]


def _plain_input(old: Keys) -> Keys:
    return {"input": triggers.plain_schema(old["input"])} if "input" in old else {}
