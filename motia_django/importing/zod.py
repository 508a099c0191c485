"""Schemas of zod, Motia's in TypeScript, as JSON Schema."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from motia_django.declarations import Mismatch
from motia_django.importing.expressions import Call, Member, Name, Regex, Rest, Spread
from motia_django.schemas import schema_for

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
    if isinstance(value, Rest):
        return f"...{shown(value.of)}"
    if isinstance(value, dict | list):
        return "{...}" if isinstance(value, dict) else "[...]"
    return f"{getattr(value, 'text', value)!s:.60}"


_WRAPPERS = frozenset({"jsonSchema", "zodToJsonSchema"})


def _is_zod(value: Any) -> bool:
    """Return whether this is `z`, `z.coerce` or `z.iso`."""
    root = value.of if isinstance(value, Member) and value.name in ("coerce", "iso") else value
    return root in (Name("z"), Name("zod"))


def _made(kind: str, given: tuple[Any, ...]) -> Schema:
    """Return what `z.kind(...)` makes."""
    if kind in _SIMPLE:
        return _described(dict(_SIMPLE[kind]), _said(given))
    if kind in _COMPOUND and given:
        return _described(_COMPOUND[kind](*given), _said(given[1:]))
    raise NotPlain(f"z.{kind}")


def _said(given: tuple[Any, ...]) -> Any:
    """Return the description among the options of `z.string({ description: "..." })`."""
    return given[-1].get("description") if given and isinstance(given[-1], dict) else None


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
    return _of({"type": "object"}, _parts_in(keys))


def _strict(keys: Any, *_: Any) -> Schema:
    return _object(keys) | _ADDED["strict"]


def _of(old: Schema, parts: dict[str, Schema]) -> Schema:
    """Return the schema of an object with other parts."""
    required = [key for key, part in parts.items() if not isinstance(part, _Optional)]
    kept = {key: each for key, each in old.items() if key != "required"}
    made = kept | {"properties": {key: dict(part) for key, part in parts.items()}}
    return _like(old, made | ({"required": required} if required else {}))


def _parts_in(keys: Any) -> dict[str, Schema]:
    """Return the schemas of an object's keys, as `{ id: z.string(), ...other.shape }` has them."""
    if not isinstance(keys, dict):
        raise NotPlain(shown(keys))
    parts: dict[str, Schema] = {}
    for key, value in keys.items():
        if not isinstance(key, Spread):
            parts[str(key)] = schema(value)
        elif isinstance(value, Member) and value.name == "shape":
            parts |= _parts(schema(value.of))
        else:
            raise NotPlain(f"...{shown(value)}")
    return parts


def _parts(old: Schema) -> dict[str, Schema]:
    """Return the schemas of an object's keys, those marked that need not be there."""
    found, required = old.get("properties"), old.get("required", ())
    if not isinstance(found, dict):
        raise NotPlain("no object")
    return {key: each if key in required else _Optional(each) for key, each in found.items()}


def _keys(chosen: Any, all_of_them: Any = None) -> Any:
    """Return the keys that `{ id: true }` names; all of them if nothing is said."""
    if chosen is None and all_of_them is not None:
        return all_of_them
    if not isinstance(chosen, dict) or not all(each is True for each in chosen.values()):
        raise NotPlain(shown(chosen))
    return chosen


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
    "looseObject": _object,
    "strictObject": _strict,
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


def _extended(old: Schema, keys: Any) -> Schema:
    return _of(old, _parts(old) | _parts_in(keys))


def _merged(old: Schema, other: Any) -> Schema:
    return _of(old, _parts(old) | _parts(schema(other)))


def _picked(old: Schema, chosen: Any) -> Schema:
    names = _keys(chosen)
    return _of(old, {key: each for key, each in _parts(old).items() if key in names})


def _omitted(old: Schema, chosen: Any) -> Schema:
    names = _keys(chosen)
    return _of(old, {key: each for key, each in _parts(old).items() if key not in names})


def _partial(old: Schema, chosen: Any) -> Schema:
    parts = _parts(old)
    return _of(
        old, parts | {key: _Optional(parts[key]) for key in _keys(chosen, parts) if key in parts}
    )


def _required(old: Schema, chosen: Any) -> Schema:
    parts = _parts(old)
    return _of(old, parts | {key: dict(parts[key]) for key in _keys(chosen, parts) if key in parts})


def _matching(old: Schema, pattern: Any) -> Schema:
    if not isinstance(pattern, Regex) or "pattern" in old:
        raise NotPlain(".regex(...)")
    new = {"pattern": pattern.text[1:-1].replace("\\/", "/")}
    try:
        schema_for(new)
    except Mismatch as error:
        raise NotPlain(".regex(...)") from error
    return _like(old, old | new)


def _either(old: Schema, other: Any) -> Schema:
    return _like(old, {"anyOf": [dict(old), dict(schema(other))]})


_CHANGES: dict[str, Callable[[Schema, Any], Schema]] = {
    "optional": lambda old, _: _Optional(old),
    "nullish": lambda old, _: _Optional(_or_null(old)),
    "nullable": lambda old, _: _like(old, _or_null(old)),
    "nonempty": lambda old, _: _changed(old, "min", (1,)),
    "length": lambda old, size: _changed(_changed(old, "min", (size,)), "max", (size,)),
    "default": _default,
    "describe": _described,
    "partial": _partial,
    "required": _required,
    "extend": _extended,
    "merge": _merged,
    "pick": _picked,
    "omit": _omitted,
    "or": _either,
    "regex": _matching,
    "array": lambda old, _: {"type": "array", "items": dict(old)},
}
_SAME = frozenset({"trim", "toLowerCase", "toUpperCase", "passthrough", "loose", "strip", "brand"})
_SAME |= {"readonly", "meta", "openapi"}
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
