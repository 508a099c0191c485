"""What a file declares, once it is in today's words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from motia_django.declarations import camel
from motia_django.sources import snake

Keys = dict[str, Any]

KNOWN = frozenset(
    {"type", "triggers", "flows", "middleware", "infrastructure", "includeFiles", "config"}
    | {"emits", "enqueues", "virtualEmits", "virtualEnqueues", "subscribes", "input", "cron"}
    | {"method", "path", "bodySchema", "responseSchema", "queryParams"}
)
"""The keys of older dialects that are rewritten; all others are read as today's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """The config and the handler of one file."""

    config: Any
    handler: Any
    is_old: bool = False
    """Whether it was said in the words of an older dialect, which knew keys that nobody read."""
    is_by_people: bool = False
    """Whether nothing starts it here: it stands in the flow for what people, or others, do."""


def by_people(declared: Declared) -> Declared:
    """Return what is declared as what people do: it needs no handler, and has no trigger."""
    return replace(declared, handler=declared.handler or _nobody, is_by_people=True)


def _nobody() -> None:
    """Stand in the place of a handler that is never called."""


def given(config: Mapping[str, Any]) -> Keys:
    """Return the keys that have a value, which None is not, the known ones in camelCase."""
    return {_spelled(key): value for key, value in config.items() if value is not None}


def rest(old: Keys) -> Keys:
    """Return the keys that mean today what they meant."""
    kept = {key: value for key, value in old.items() if key not in KNOWN or key == "flows"}
    virtual = listed(old.get("virtualEnqueues", old.get("virtualEmits")))
    return kept | ({"virtualEnqueues": topics(virtual)} if virtual else {})


def sent(old: Keys) -> Any:
    """Return the topics of `emits` and `enqueues`."""
    return topics([*listed(old.get("emits")), *listed(old.get("enqueues"))])


def topics(value: Iterable[Any]) -> list[Any]:
    """Return a list of topics as today's words have them: without labels that are None.

    An empty text, as in `"emits": [""]`, was no topic to anybody.
    """
    return [_topic(each) for each in value if each != ""]


def listed(value: Any) -> list[Any]:
    """Return a list of what is a list, one thing, or None."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def functions(value: Any) -> tuple[Callable[..., Any], ...]:
    """Return what can be called of `middleware`."""
    return tuple(each for each in listed(value) if callable(each))


def _spelled(key: Any) -> Any:
    name = camel(snake(key)) if isinstance(key, str) else key
    return name if name in KNOWN else key


def _topic(value: Any) -> Any:
    fields = value if isinstance(value, str | Mapping) else getattr(value, "__dict__", value)
    if not isinstance(fields, Mapping):
        return fields
    if "topic" not in fields and "type" in fields:
        fields = {**fields, "topic": fields["type"]}  # so it was called at first
    known = ("topic", "label", "conditional")
    return {key: fields[key] for key in known if fields.get(key) is not None}
