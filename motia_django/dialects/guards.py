"""Guards: what kinds of triggers a Step has, asked as in Motia."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = [
    "get_api_triggers",
    "get_cron_triggers",
    "get_http_triggers",
    "get_queue_triggers",
    "get_state_triggers",
    "get_stream_triggers",
    "is_api_step",
    "is_api_trigger",
    "is_cron_step",
    "is_cron_trigger",
    "is_event_step",
    "is_http_step",
    "is_http_trigger",
    "is_noop_step",
    "is_queue_step",
    "is_queue_trigger",
    "is_state_step",
    "is_state_trigger",
    "is_stream_step",
    "is_stream_trigger",
]

Guard = Callable[[Any], bool]
Getter = Callable[[Any], list[Any]]


def triggers_of(step: Any) -> list[Any]:
    """Return the triggers of a Step, of the definition of one, or of its config."""
    config = getattr(step, "config", step)
    if isinstance(config, Mapping):
        return list(config.get("triggers") or ())
    return list(getattr(config, "triggers", None) or ())


def kind_of(trigger: Any) -> Any:
    """Return the kind of a trigger, as it is written or as it was read."""
    if isinstance(trigger, Mapping):
        return trigger.get("type")
    return getattr(trigger, "kind", getattr(trigger, "type", None))


def _guards(kind: str, *words: str) -> tuple[Guard, Guard, Getter]:
    """Return what tells a trigger of a kind, and a Step that has one, and what returns them."""

    def is_trigger(trigger: Any) -> bool:
        return kind_of(trigger) in (kind, *words)

    def get_triggers(step: Any) -> list[Any]:
        return [each for each in triggers_of(step) if is_trigger(each)]

    def is_step(step: Any) -> bool:
        return bool(get_triggers(step))

    return is_trigger, is_step, get_triggers


is_http_trigger, is_http_step, get_http_triggers = _guards("http", "api")
is_queue_trigger, is_queue_step, get_queue_triggers = _guards("queue", "event")
is_cron_trigger, is_cron_step, get_cron_triggers = _guards("cron")
is_state_trigger, is_state_step, get_state_triggers = _guards("state")
is_stream_trigger, is_stream_step, get_stream_triggers = _guards("stream")

is_api_trigger, is_api_step, get_api_triggers = is_http_trigger, is_http_step, get_http_triggers
is_event_step = is_queue_step


def is_noop_step(step: Any) -> bool:
    """Return whether nothing starts a Step here: people do it, or others do."""
    return not triggers_of(step)
