"""JSON Schema as a document's version of OpenAPI has it: 3.1 as it is, 3.0 in its own words."""

from __future__ import annotations

from typing import Any

from drf_spectacular.plumbing import is_jsonschema_compliant

from motia_django.openapi.walking import changed

_BESIDE_AN_ENUM = ("default", "deprecated", "description", "example", "examples", "title")
_NULL = {"enum": [None], "nullable": True}
_KNOWN_TO_30 = frozenset(
    (
        *("$ref", "additionalProperties", "allOf", "anyOf", "default", "deprecated"),
        *("description", "discriminator", "enum", "example", "exclusiveMaximum"),
        *("exclusiveMinimum", "externalDocs", "format", "items", "maximum", "maxItems"),
        *("maxLength", "maxProperties", "minimum", "minItems", "minLength", "minProperties"),
        *("multipleOf", "not", "nullable", "oneOf", "pattern", "properties", "readOnly"),
        *("required", "title", "type", "uniqueItems", "writeOnly", "xml"),
    )
)


def spoken(schema: Any) -> dict[str, Any]:
    """Return a JSON Schema as documents of the project's `OAS_VERSION` may hold it."""
    return changed(schema, _plain if is_jsonschema_compliant() else _in_30)


def guarded(schema: Any) -> dict[str, Any]:
    """Return a schema whose enums drf-spectacular leaves where they are.

    Its hook makes components of the enums of properties, by the property's name: two of one name
    are a warning, and one without a type an error.
    """
    return changed(schema, _with_guarded_properties)


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in ("$schema", "$id")}


def _in_30(schema: dict[str, Any]) -> dict[str, Any]:
    schema = _with_old_words(_without_null(_with_one_type(schema)))
    known = {
        key: value for key, value in schema.items() if key in _KNOWN_TO_30 or key.startswith("x-")
    }
    if schema.get("patternProperties"):
        known.pop("additionalProperties", None)
    if known.get("type") == "array":
        known.setdefault("items", {})
    if "$ref" in known and len(known) > 1:
        known = {"allOf": [{"$ref": known.pop("$ref")}], **known}
    return known


def _with_one_type(schema: dict[str, Any]) -> dict[str, Any]:
    kinds = schema.get("type")
    if kinds == "null":
        return dict(_NULL)
    if not isinstance(kinds, list):
        return schema
    rest = {key: value for key, value in schema.items() if key != "type"}
    if "null" in kinds:
        rest["nullable"] = True
    others = [each for each in kinds if each != "null"]
    if len(others) == 1:
        return {**rest, "type": others[0]}
    choices = {"anyOf": [{"type": each} for each in others]} if others else {"enum": [None]}
    return {**rest, "allOf": [*rest.get("allOf", ()), choices]}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a choice with `null` in it as what may be null."""
    for key in ("anyOf", "oneOf"):
        choices = schema.get(key, [])
        others = [each for each in choices if each != _NULL]
        if len(others) < len(choices) and others:
            rest = {name: value for name, value in schema.items() if name != key}
            one = {"allOf": others} if "$ref" in others[0] else others[0]
            return {**(one if len(others) == 1 else {key: others}), **rest, "nullable": True}
    return schema


def _with_old_words(schema: dict[str, Any]) -> dict[str, Any]:
    schema = dict(schema)
    if "const" in schema:
        schema["enum"] = [schema.pop("const")]
    if isinstance(schema.get("examples"), list) and schema["examples"]:
        schema["example"] = schema["examples"][0]
    tuple_of = schema.get("prefixItems") or schema.get("items")
    if isinstance(tuple_of, list):
        schema["items"] = {"anyOf": tuple_of}
    for word, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if word in schema and not isinstance(schema[word], bool):
            schema |= {limit: schema[word], word: True}
    return schema


def _with_guarded_properties(schema: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(schema.get("properties"), dict):
        return schema
    return {
        **schema,
        "properties": {name: _guarded(each) for name, each in schema["properties"].items()},
    }


def _guarded(schema: dict[str, Any]) -> dict[str, Any]:
    if schema.get("type") == "array" and isinstance(schema.get("items"), dict):
        return {**schema, "items": _guarded(schema["items"])}
    if "enum" not in schema:
        return schema
    beside = {key: value for key, value in schema.items() if key in _BESIDE_AN_ENUM}
    enum = {key: value for key, value in schema.items() if key not in _BESIDE_AN_ENUM}
    return {"allOf": [enum], **beside}
