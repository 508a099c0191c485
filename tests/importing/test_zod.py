"""Schemas of zod, as TypeScript writes them: what JSON Schema can say of them is said."""

from __future__ import annotations

from typing import Any

import pytest

from motia_django.importing import zod
from motia_django.importing.expressions import constants

TEXT = {"type": "string"}
NULL = {"type": "null"}


def read(source: str) -> Any:
    """Return the value of an expression."""
    return constants(f"const it = {source}")["it"]


@pytest.mark.parametrize(
    ("source", "schema"),
    [
        ("z.literal('paid')", {"const": "paid"}),
        ("z.literal(-1)", {"const": -1}),
        ("z.nativeEnum({ Paid: 'paid', Due: 'due' })", {"enum": ["paid", "due"]}),
        ("z.union([z.string(), z.null()])", {"anyOf": [TEXT, NULL]}),
        ("z.discriminatedUnion('kind', [z.string()])", {"anyOf": [TEXT]}),
        ("z.optional(z.string())", TEXT),
        ("z.optional(z.string(), { message: 'a text' })", TEXT),
        ("z.nullable(z.string())", {"anyOf": [TEXT, NULL]}),
        ("z.nullable(z.string(), { message: 'a text' })", {"anyOf": [TEXT, NULL]}),
        ("z.record(z.string(), z.any())", {"type": "object"}),
        ("z.string().trim().describe('a name')", {**TEXT, "description": "a name"}),
        ("z.string().length(3)", {**TEXT, "minLength": 3, "maxLength": 3}),
        ("z.string().default('x')", {**TEXT, "default": "x"}),
        ("z.array(z.string()).default(['a', 1])", {"default": ["a", 1]}),
        ("z.array(z.string()).default([now()])", {"type": "array", "items": TEXT}),
        ("z.record(z.string()).default({ a: 'b' })", {"default": {"a": "b"}}),
        ("z.coerce.number().int().min(1)", {"type": "integer", "minimum": 1}),
        ("z.iso.datetime()", {**TEXT, "format": "date-time"}),
        ("zodToJsonSchema(z.string())", TEXT),
        ("jsonSchema({ 'type': 'string' })", TEXT),
        ("z.toJSONSchema(z.string())", TEXT),
        ("z.string({ description: 'a name' })", {**TEXT, "description": "a name"}),
        ("z.enum(['a'], { description: 'a kind' })", {"enum": ["a"], "description": "a kind"}),
        (r"z.string().regex(/^\d+\/[a-z]$/, 'a code')", {**TEXT, "pattern": r"^\d+/[a-z]$"}),
        ("z.string().or(z.null())", {"anyOf": [TEXT, NULL]}),
        ("z.strictObject({}).readonly().meta({ id: 'X' })", {"additionalProperties": False}),
    ],
)
def test_what_json_schema_can_say_is_said(source: str, schema: dict[str, Any]) -> None:
    found = zod.schema(read(source))
    assert {**found, **schema} == found


def test_a_key_that_is_optional_is_not_required_and_of_a_partial_object_none_is() -> None:
    keys = "z.object({ id: z.string(), 'note': z.optional(z.string()) })"
    assert zod.schema(read(keys)) == {
        "type": "object",
        "properties": {"id": TEXT, "note": TEXT},
        "required": ["id"],
    }
    assert "required" not in zod.schema(read(f"{keys}.partial()"))


@pytest.mark.parametrize(
    ("method", "keys", "required"),
    [
        ("extend({ a: z.null().optional(), c: z.null() })", "abc", "c"),
        ("merge(z.object({ b: z.null(), c: z.null() }))", "abc", "abc"),
        ("pick({ a: true })", "a", "a"),
        ("omit({ a: true })", "b", ""),
        ("partial({ a: true, x: true })", "ab", ""),
        ("required()", "ab", "ab"),
        ("required({ b: true })", "ab", "ab"),
        ("strict()", "ab", "a"),
    ],
)
def test_objects_are_made_of_others(method: str, keys: str, required: str) -> None:
    base = "z.object({ a: z.string(), b: z.string().optional() })"
    found = zod.schema(read(f"{base}.{method}"))
    assert ("".join(found["properties"]), "".join(found.get("required", ()))) == (keys, required)
    spread = zod.schema(read(f"z.object({{ ...{base}.shape, b: z.string() }})"))
    assert spread["required"] == ["a", "b"]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("Order", "Order"),
        ("Order()", "Order()"),
        ("z.object(shape)", "shape"),
        ("z.enum(kinds)", "kinds"),
        ("z.literal(kind)", "kind"),
        ("z.union(all)", "all"),
        ("z.discriminatedUnion('kind')", "None"),
        ("z.function()", "z.function"),
        ("z.array()", "z.array"),
        ("z.boolean().min(1)", ".min(...)"),
        ("z.string().length(size)", ".min(...)"),
        ("z.string().transform(read)", ".transform(...)"),
        ("z.array(Order)", "Order"),
        ("z.string().regex(/^a$/i)", ".regex(...)"),
        ("z.string().regex(/(?<a/)", ".regex(...)"),
        ("z.string().regex(/a/).regex(/b/)", ".regex(...)"),
        ("z.object({ ...base })", "...base"),
        ("z.enum([...kinds])", "[...]"),
        ("z.object({}).pick(chosen)", "chosen"),
        ("z.string().extend({})", "no object"),
    ],
)
def test_what_it_cannot_say_is_told(source: str, told: str) -> None:
    with pytest.raises(zod.NotPlain) as caught:
        zod.schema(read(source))
    assert str(caught.value) == told
