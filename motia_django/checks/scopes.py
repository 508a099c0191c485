"""Before deploying: keys of requests that are remembered of a Step, or a path, that is gone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from motia_django import ledger
from motia_django.registry import registry
from motia_django.steps import Step
from motia_django.triggers import HttpTrigger
from motia_django.triggers.idempotency import own_scope, parts_of


def forgotten() -> dict[str, datetime]:
    """Return the scopes that no Step has, each with when the last answer of it expires.

    Of what an older release wrote, only the Step is known.
    """
    kept = sorted(ledger.scopes_of_answers().items(), key=str)
    return {
        own_scope(step, "/...") if scope is None else scope: until
        for (step, scope), until in kept
        if not _is_there(step, scope)
    }


def _is_there(step: str, scope: str | None) -> bool:
    """Return whether a request would find such an answer, if it came again now.

    With which prefix a path is included is not asked.
    """
    for each, trigger in _keyed():
        named = trigger.idempotency.scope if trigger.idempotency else ""
        is_own = each.name == step and not named
        if scope is None:
            found = is_own or parts_of(named)[0] == step
        else:
            found = scope == named or (is_own and scope.endswith(trigger.path))
        if found:
            return True
    return False


def _keyed() -> Iterator[tuple[Step, HttpTrigger]]:
    for step in registry():
        for trigger in step.http_triggers:
            if trigger.idempotency:
                yield step, trigger
