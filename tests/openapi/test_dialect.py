"""JSON Schema as each version of OpenAPI has it."""

from __future__ import annotations

from typing import Any

import pytest
from drf_spectacular.settings import patched_settings

from motia_django.openapi.dialect import guarded, spoken

INTEGER = {"type": "integer"}
REFERENCE = {"$ref": "#/components/schemas/Item"}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "null"}, {"enum": [None], "nullable": True}),
        ({"type": ["integer", "null"]}, {"type": "integer", "nullable": True}),
        (
            {"type": ["integer", "string", "null"], "title": "A"},
            {
                "title": "A",
                "nullable": True,
                "allOf": [{"anyOf": [INTEGER, {"type": "string"}]}],
            },
        ),
        (
            {"anyOf": [INTEGER, {"type": "null"}], "default": None},
            {"type": "integer", "default": None, "nullable": True},
        ),
        ({"oneOf": [REFERENCE, {"type": "null"}]}, {"allOf": [REFERENCE], "nullable": True}),
        (
            {"anyOf": [INTEGER, REFERENCE, {"type": "null"}]},
            {"anyOf": [INTEGER, REFERENCE], "nullable": True},
        ),
        ({**REFERENCE, "description": "One"}, {"allOf": [REFERENCE], "description": "One"}),
        ({"const": 5}, {"enum": [5]}),
        ({"exclusiveMinimum": 0}, {"minimum": 0, "exclusiveMinimum": True}),
        ({"examples": [1, 2]}, {"example": 1}),
        ({"type": "array"}, {"type": "array", "items": {}}),
        (
            {"type": "array", "prefixItems": [INTEGER, True], "maxItems": 2},
            {"type": "array", "items": {"anyOf": [INTEGER, {}]}, "maxItems": 2},
        ),
        (
            {"patternProperties": {"^a": INTEGER}, "additionalProperties": False},
            {},
        ),
        ({"properties": {"a": {"not": True}}}, {"properties": {"a": {"not": {}}}}),
        ({"$comment": "no", "x-order": 1}, {"x-order": 1}),
    ],
)
def test_3_0_has_its_own_words(schema: Any, expected: Any) -> None:
    with patched_settings({"OAS_VERSION": "3.0.3"}):
        assert spoken(schema) == expected


def test_3_1_has_json_schema_as_it_is() -> None:
    schema = {
        "type": ["integer", "null"],
        "const": None,
        "items": {"prefixItems": [False], "additionalProperties": False},
    }
    with patched_settings({"OAS_VERSION": "3.1.0"}):
        found = spoken({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})
    items = {"prefixItems": [{"not": {}}], "additionalProperties": False}
    assert found == {**schema, "items": items}


def test_data_is_left_alone() -> None:
    data = {"type": ["a", "null"], "const": True, "properties": {"enum": True}}
    schema = {"default": data, "enum": [data], "x-more": data}
    assert spoken(schema) == schema


def test_enums_of_properties_are_kept_from_being_made_components() -> None:
    enum = {"enum": ["a", 1], "type": ["string", "integer"]}
    found = guarded(
        {"properties": {"a": {**enum, "title": "A"}, "b": {"type": "array", "items": enum}}}
    )
    assert found["properties"]["a"] == {"allOf": [enum], "title": "A"}
    assert found["properties"]["b"] == {"type": "array", "items": {"allOf": [enum]}}
