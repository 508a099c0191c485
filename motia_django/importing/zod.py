"""Schemas of zod, Motia's in TypeScript, as JSON Schema."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from motia_django.importing.expressions import Call, Member, Name

Schema = dict[str, Any]


class NotPlain(ValueError):
    """A schema says what JSON Schema cannot be made of; the text says what."""


class _Optional(dict[str, Any]):
    """The schema of a key that need not be there."""


def schema(value: Any) -> Schema:
    """Return a schema as JSON Schema; raise `NotPlain` if it is none, or more than that can say."""
    if isinstance(value, dict) and isinstance(value.get("type"), str):
        return value  # which is JSON Schema as it stands
    if not isinstance(value, Call):
        raise NotPlain(shown(value))
    function, arguments = value.function, value.arguments
    if isinstance(function, Name) and function.name in _WRAPPERS and arguments:
        return schema(arguments[0])
    if not isinstance(function, Member):
        raise NotPlain(shown(value))
    if _is_zod(function.of):
        return _made(function.name, arguments)
    return _changed(schema(function.of), function.name, arguments)


def shown(value: Any) -> str:
    """Return what a value looks like in its source, in short."""
    if isinstance(value, Name):
        return value.name
    if isinstance(value, Member):
        return f"{shown(value.of)}.{value.name}"
    if isinstance(value, Call):
        return f"{shown(value.function)}({'...' if value.arguments else ''})"
    return f"{getattr(value, 'text', value)!s:.60}"


_WRAPPERS = frozenset({"jsonSchema", "zodToJsonSchema"})


def _is_zod(value: Any) -> bool:
    """Return whether this is `z`, `z.coerce` or `z.iso`."""
    root = value.of if isinstance(value, Member) and value.name in ("coerce", "iso") else value
    return root in (Name("z"), Name("zod"))


def _made(kind: str, given: tuple[Any, ...]) -> Schema:
    """Return what `z.kind(...)` makes."""
    if kind in _SIMPLE:
        return dict(_SIMPLE[kind])
    if kind in _COMPOUND and given:
        return _COMPOUND[kind](*given)
    raise NotPlain(f"z.{kind}")


_SIMPLE: dict[str, Schema] = {
    "string": {"type": "string"},
    "number": {"type": "number"},
    "int": {"type": "integer"},
    "bigint": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "null": {"type": "null"},
    "any": {},
    "unknown": {},
    "email": {"type": "string", "format": "email"},
    "url": {"type": "string", "format": "uri"},
    "uuid": {"type": "string", "format": "uuid"},
    "date": {"type": "string"},
    "datetime": {"type": "string", "format": "date-time"},
}


def _object(keys: Any, *_: Any) -> Schema:
    if not isinstance(keys, dict) or not all(isinstance(key, str | int) for key in keys):
        raise NotPlain(shown(keys))
    parts = {str(key): schema(value) for key, value in keys.items()}
    required = [key for key, part in parts.items() if not isinstance(part, _Optional)]
    made: Schema = {"type": "object", "properties": {key: dict(parts[key]) for key in parts}}
    return made | ({"required": required} if required else {})


def _array(item: Any, *_: Any) -> Schema:
    return {"type": "array", "items": dict(schema(item))}


def _enum(values: Any, *_: Any) -> Schema:
    found = list(values.values()) if isinstance(values, dict) else values
    if not isinstance(found, list) or not all(isinstance(each, str | int) for each in found):
        raise NotPlain(shown(values))
    return {"enum": found}


def _literal(value: Any, *_: Any) -> Schema:
    if isinstance(value, str | int | float | None):
        return {"const": value}
    raise NotPlain(shown(value))


def _record(*given: Any) -> Schema:
    values = dict(schema(given[-1]))
    return {"type": "object"} | ({"additionalProperties": values} if values else {})


def _union(parts: Any, *_: Any) -> Schema:
    if not isinstance(parts, list):
        raise NotPlain(shown(parts))
    return {"anyOf": [dict(schema(each)) for each in parts]}


def _optional(value: Any, *_: Any) -> Schema:
    return _Optional(schema(value))


def _nullable(value: Any, *_: Any) -> Schema:
    return {"anyOf": [dict(schema(value)), {"type": "null"}]}


_COMPOUND: dict[str, Callable[..., Schema]] = {
    "object": _object,
    "array": _array,
    "enum": _enum,
    "nativeEnum": _enum,
    "literal": _literal,
    "record": _record,
    "union": _union,
    "discriminatedUnion": lambda _, parts=None, *more: _union(parts),
    "optional": _optional,
    "nullable": _nullable,
    "toJSONSchema": lambda value, *_: schema(value),
}


def _changed(old: Schema, method: str, given: tuple[Any, ...]) -> Schema:
    """Return what `schema.method(...)` makes of a schema."""
    first = given[0] if given else None
    if method in _SAME:
        return old
    if method in _ADDED:
        return _like(old, old | _ADDED[method])
    if method in _BOUNDS and isinstance(first, int | float):
        return _bounded(old, method, first)
    if method in _CHANGES:
        return _CHANGES[method](old, first)
    raise NotPlain(f".{method}(...)")


def _bounded(old: Schema, method: str, bound: float) -> Schema:
    word = _BOUNDS[method].get(_kind(old))
    if word is None:
        raise NotPlain(f".{method}(...)")
    return _like(old, old | {word: bound})


def _default(old: Schema, value: Any) -> Schema:
    return _Optional(old | ({"default": value} if _is_json(value) else {}))


def _described(old: Schema, text: Any) -> Schema:
    return _like(old, old | ({"description": text} if isinstance(text, str) else {}))


def _partial(old: Schema, _: Any) -> Schema:
    return _like(old, {key: each for key, each in old.items() if key != "required"})


_CHANGES: dict[str, Callable[[Schema, Any], Schema]] = {
    "optional": lambda old, _: _Optional(old),
    "nullish": lambda old, _: _Optional(_or_null(old)),
    "nullable": lambda old, _: _like(old, _or_null(old)),
    "nonempty": lambda old, _: _changed(old, "min", (1,)),
    "length": lambda old, size: _changed(_changed(old, "min", (size,)), "max", (size,)),
    "default": _default,
    "describe": _described,
    "partial": _partial,
    "array": lambda old, _: {"type": "array", "items": dict(old)},
}
_SAME = frozenset({"trim", "toLowerCase", "toUpperCase", "passthrough", "loose", "strip", "brand"})
_ADDED: dict[str, Schema] = {
    "int": {"type": "integer"},
    "email": {"format": "email"},
    "url": {"format": "uri"},
    "uuid": {"format": "uuid"},
    "datetime": {"format": "date-time"},
    "date": {"format": "date"},
    "positive": {"exclusiveMinimum": 0},
    "nonnegative": {"minimum": 0},
    "strict": {"additionalProperties": False},
}
_BOUNDS: dict[str, dict[str, str]] = {
    "min": {"string": "minLength", "array": "minItems", "number": "minimum"},
    "max": {"string": "maxLength", "array": "maxItems", "number": "maximum"},
    "gte": {"number": "minimum"},
    "lte": {"number": "maximum"},
    "gt": {"number": "exclusiveMinimum"},
    "lt": {"number": "exclusiveMaximum"},
}


def _kind(old: Schema) -> str:
    kind = str(old.get("type"))
    return "number" if kind == "integer" else kind


def _like(old: Schema, new: Schema) -> Schema:
    return _Optional(new) if isinstance(old, _Optional) else new


def _or_null(old: Schema) -> Schema:
    return {"anyOf": [dict(old), {"type": "null"}]}


def _is_json(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_json, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(each) for key, each in value.items())
    return value is None or isinstance(value, str | int | float)
