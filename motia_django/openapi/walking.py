"""JSON Schemas, taken apart: each schema in a schema, and nothing of the data beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Change = Callable[[dict[str, Any]], dict[str, Any]]

_ONE = (
    *("additionalProperties", "contains", "contentSchema", "else", "if", "not", "propertyNames"),
    *("then", "unevaluatedItems", "unevaluatedProperties"),
)
_MANY = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED = ("$defs", "definitions", "dependentSchemas", "patternProperties", "properties")
_MAY_BE_BOOLEAN = ("additionalProperties", "unevaluatedItems", "unevaluatedProperties")


def changed(schema: Any, change: Change) -> dict[str, Any]:
    """Return a schema with each one in it, and then itself, as `change` makes it.

    `True` and `False` are given to it as `{}` and `{"not": {}}`.
    """
    if not isinstance(schema, Mapping):
        return change({"not": {}} if schema is False else {})
    return change({key: _inner(key, value, change) for key, value in schema.items()})


def _inner(key: str, value: Any, change: Change) -> Any:
    if key in _MAY_BE_BOOLEAN and isinstance(value, bool):
        return value
    if key in _ONE or (key == "items" and not isinstance(value, list)):
        return changed(value, change)
    if key in (*_MANY, "items") and isinstance(value, list):
        return [changed(each, change) for each in value]
    if key in _NAMED and isinstance(value, Mapping):
        return {name: changed(each, change) for name, each in value.items()}
    return value
