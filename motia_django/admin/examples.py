"""An example of what a schema asks for, to begin typing from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from motia_django.schemas import Schema

DEEPEST = 8
_FORMATS = {
    "date-time": "2026-01-31T12:00:00Z",
    "date": "2026-01-31",
    "time": "12:00:00",
    "duration": "P1D",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
}
_NOTHING: Any = object()

Document = Mapping[str, Any]


def example(schema: Schema | None) -> Any:
    """Return a value that is near to what the schema takes: an empty object if nothing is known.

    Whatever it says itself counts first: an example, a default, the first of what is allowed. Of an
    object the required fields are there, and those of the others that say something themselves.
    """
    if schema is None:
        return {}
    try:
        document = schema.json_schema()
        return _example(document, document, 0)
    except Exception:  # not every type can be written as JSON Schema, nor is every document sound
        return {}


def _example(schema: Any, root: Document, depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth > DEEPEST:
        return None
    said = _said(schema)
    if said is not _NOTHING:
        return said
    if "$ref" in schema:
        return _example(_referred(str(schema["$ref"]), root), root, depth + 1)
    for key in ("anyOf", "oneOf"):
        if schema.get(key):
            return _example(_first_that_is(schema[key]), root, depth + 1)
    if schema.get("allOf"):
        return _merged([_example(each, root, depth + 1) for each in schema["allOf"]])
    return _of_type(schema, root, depth)


def _said(schema: Document) -> Any:
    """Return the value that the schema gives itself, if it does."""
    if isinstance(schema.get("examples"), list) and schema["examples"]:
        return schema["examples"][0]
    for key in ("example", "default", "const"):
        if key in schema:
            return schema[key]
    return schema["enum"][0] if schema.get("enum") else _NOTHING


def _referred(reference: str, root: Document) -> Any:
    found: Any = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")] if part else found
    return found


def _first_that_is(schemas: list[Any]) -> Any:
    return next((each for each in schemas if each != {"type": "null"}), schemas[0])


def _merged(examples: list[Any]) -> Any:
    if not all(isinstance(each, Mapping) for each in examples):
        return examples[0]
    return {key: value for each in examples for key, value in each.items()}


def _of_type(schema: Document, root: Document, depth: int) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else None)
    kind = kind[0] if isinstance(kind, list) and kind else kind
    if kind == "object":
        return _object(schema, root, depth)
    if kind == "array":
        return (
            [_example(schema.get("items", {}), root, depth + 1)] if schema.get("minItems") else []
        )
    if kind in ("integer", "number"):
        return _number(schema, 1 if kind == "integer" else 1.0)
    if kind == "string":
        return _FORMATS.get(str(schema.get("format")), "x" * int(schema.get("minLength", 0)))
    return {"boolean": False}.get(str(kind))


def _object(schema: Document, root: Document, depth: int) -> dict[str, Any]:
    required, fields = schema.get("required", ()), schema.get("properties", {})
    return {
        name: _example(field, root, depth + 1)
        for name, field in fields.items()
        if name in required or _tells(field)
    }


def _tells(field: Any) -> bool:
    """Return whether a field that may be left out says itself what it might be."""
    said = _said(field) if isinstance(field, Mapping) else _NOTHING
    return said is not _NOTHING and said is not None


def _number(schema: Document, one: float) -> float:
    """Return zero, or what is nearest to it and allowed."""
    least = max(schema.get("minimum", 0), schema.get("exclusiveMinimum", -one) + one)
    most = min(schema.get("maximum", least), schema.get("exclusiveMaximum", least + one) - one)
    return type(one)(min(least, most))
