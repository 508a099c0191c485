"""At every `check`: keys that runs are counted by, or found by, and that no input has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.core import checks

from motia_django import keys
from motia_django.checks.project import where
from motia_django.declarations import camel
from motia_django.exceptions import did_you_mean
from motia_django.registry import registry
from motia_django.schemas import Schema
from motia_django.triggers import HttpTrigger, QueueTrigger, Trigger

NO_SUCH_KEY = "motia.W007"


def counted_keys(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Warn of keys that are no property of the input: runs count as one, or are not found."""
    return [*_unknown_keys(), *_unknown_names()]


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


def _unknown_names() -> Iterator[checks.CheckMessage]:
    """Tell of names in `index` no path of which any of the triggers knows that have them."""
    for step in registry():
        asked: dict[tuple[str, ...], list[Trigger]] = {}
        for trigger in step.triggers:
            for name, paths in keys.paths(step.index_of(trigger)).items():
                asked.setdefault((name, *paths), []).append(trigger)
        for (_name, *paths), triggers in asked.items():
            missing = [[_missing(path.split("."), each) for each in triggers] for path in paths]
            if all(name for of_path in missing for name, _known in of_path):
                first = [of_path[0] for of_path in missing]
                hints = (did_you_mean(name, known).strip() for name, known in first)
                yield checks.Warning(
                    f"Runs of Step {step.name!r} are to be found by"
                    f" {' or '.join(map(repr, paths))} (index), and"
                    f" {_are_none([name for name, _known in first])} of its input.",
                    hint=next(filter(None, hints), None),
                    obj=where(step),
                    id=NO_SUCH_KEY,
                )


def _are_none(names: Sequence[str]) -> str:
    each = list(dict.fromkeys(map(repr, names)))
    return f"{' and '.join(each)} {'is no property' if len(each) == 1 else 'are no properties'}"


def _missing(path: Sequence[str], trigger: Trigger) -> tuple[str, Sequence[str]]:
    """Return the first name of a path that is nowhere in the input, as `_first_unknown` does."""
    asked = [(path, each) for each in _documents(trigger)]
    if isinstance(trigger, HttpTrigger) and path[0] in keys.PARTS and path[1:]:
        within = _by_part(trigger).get(path[0]) or [{}]
        asked = [*((path[1:], each) for each in within), *asked]
    found = [_first_unknown(names, document, either=True) for names, document in asked]
    if not found or not all(name for name, _known in found):
        return "", ()
    return found[0][0], [each for _name, known in found for each in known]


def _documents(trigger: Trigger) -> list[Mapping[str, Any]]:
    """Return the schemas of where in an input a key may be; none if it may be anywhere."""
    if isinstance(trigger, QueueTrigger):
        return [_document(trigger.schema)]
    if not isinstance(trigger, HttpTrigger) or trigger.body_schema is None:
        return []
    return [each for documents in _by_part(trigger).values() for each in documents]


def _by_part(trigger: HttpTrigger) -> dict[str, list[Mapping[str, Any]]]:
    """Return the schemas of each part of a request, as far as there are some."""
    texts = {part: [_document(each.schema)] for part, each in trigger.text_schemas.items()}
    names: Mapping[str, Any] = {"properties": {name: {} for name in trigger.parameters}}
    return {
        "body": [_document(trigger.body_schema)],
        "params": [*texts.get("params", ()), *([names] if trigger.parameters else [])],
        "query": [*texts.get("query", ())],
    }


def _document(schema: Schema | None) -> Mapping[str, Any]:
    try:
        return schema.by_every_name() if schema is not None else {}
    except Exception:  # not every type can be written in it, and a serializer may ask anything
        return {}


def _first_unknown(
    key: Sequence[str], document: Mapping[str, Any], *, either: bool = False
) -> tuple[str, Sequence[str]]:
    """Return the first name of a path that is not there, and those that are; "" if it may be.

    In `either` spelling, `order_id` is there where `orderId` is.
    """
    node: Any = document
    for part in key:
        if "$ref" in node:
            node = document.get("$defs", {}).get(str(node["$ref"]).rpartition("/")[2], {})
        names = node.get("properties")
        if not names or node.get("additionalProperties") or set(node) & {"anyOf", "allOf", "oneOf"}:
            return "", ()
        found = camel(part) if either and part not in names else part
        if found not in names:
            return part, list(names)
        node = names[found]
    return "", ()
