"""At every `check`: keys that `concurrency` counts runs by, and that no message has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.core import checks

from motia_django.checks.project import where
from motia_django.exceptions import did_you_mean
from motia_django.registry import registry
from motia_django.schemas import Schema

NO_SUCH_KEY = "motia.W007"


def counted_keys(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Warn of keys that are no property of their trigger's input: all runs count as one value's."""
    return list(_unknown_keys())


def _unknown_keys() -> Iterator[checks.CheckMessage]:
    for step in registry():
        for _index, trigger in step.triggers_of("queue"):
            concurrency = trigger.delivery.concurrency
            key = concurrency.key if concurrency else ()
            name, known = _first_unknown(key, _document(trigger.schema))
            if name:
                yield checks.Warning(
                    f"Step {step.name!r} counts its runs by {'.'.join(key)!r} (concurrency), and"
                    f" {name!r} is no property of its input.",
                    hint=did_you_mean(name, known).strip() or None,
                    obj=where(step),
                    id=NO_SUCH_KEY,
                )


def _document(schema: Schema | None) -> Mapping[str, Any]:
    try:
        return schema.json_schema() if schema is not None else {}
    except Exception:  # not every type can be written in it, and a serializer may ask anything
        return {}


def _first_unknown(key: Sequence[str], document: Mapping[str, Any]) -> tuple[str, Sequence[str]]:
    """Return the first name of a path that is not there, and those that are; "" if it may be."""
    node: Any = document
    for part in key:
        if "$ref" in node:
            node = document.get("$defs", {}).get(str(node["$ref"]).rpartition("/")[2], {})
        names = node.get("properties")
        if not names or node.get("additionalProperties") or set(node) & {"anyOf", "allOf", "oneOf"}:
            return "", ()
        if part not in names:
            return part, list(names)
        node = names[part]
    return "", ()
