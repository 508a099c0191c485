"""Examples of schemas: near to what is asked for, and never an error."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from enum import Enum
from typing import Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, TypeAdapter
from rest_framework import serializers

from motia_django.admin.examples import example
from motia_django.schemas import schema_for


class Colour(Enum):
    RED = "red"


class Line(BaseModel):
    sku: str = Field(min_length=3)
    count: int = Field(ge=1, le=9)


class Order(BaseModel):
    id: UUID
    placed: datetime
    due: date
    colour: Colour
    kind: Literal["gift", "own"]
    lines: list[Line] = Field(min_length=1)
    note: str | None
    paid: bool
    price: float = Field(gt=2)
    currency: str = "EUR"
    comment: str | None = None
    shop: str = Field(examples=["Berlin"])


class Node(BaseModel):
    children: list[Node] = Field(min_length=1)


class Contact(serializers.Serializer[Any]):
    name = serializers.CharField()
    age = serializers.IntegerField(required=False)


def test_an_example_of_a_model_is_taken_by_it() -> None:
    found = example(schema_for(Order))
    Order.model_validate(found)
    assert found["currency"] == "EUR"
    assert found["shop"] == "Berlin"
    assert found["lines"][0]["count"] == 1
    assert "comment" not in found


@pytest.mark.parametrize(
    ("declared", "found"),
    [
        (int, 0),
        (list[int], []),
        (Contact, {"name": ""}),
        ({"type": "object", "required": ["a"], "properties": {"a": {"const": 5}}}, {"a": 5}),
        ({"type": "integer", "exclusiveMinimum": 4}, 5),
        ({"type": "integer", "maximum": -3}, -3),
        ({"enum": ["b", "a"]}, "b"),
        ({"type": ["string", "null"], "format": "email"}, "someone@example.com"),
        ({"allOf": [{"properties": {"a": {"default": 1}}}, {"properties": {"b": {"default": 2}}}]},
         {"a": 1, "b": 2}),
        ({"anyOf": [{"type": "null"}, {"type": "boolean"}]}, False),
        ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"default": "found"}}}, "found"),
        ({}, None),
        ({"type": "object"}, {}),
    ],
)  # fmt: skip
def test_what_a_schema_says_itself_counts_first(declared: Any, found: Any) -> None:
    assert example(schema_for(declared)) == found


def test_what_has_no_end_ends() -> None:
    assert "children" in example(schema_for(Node))


@pytest.mark.parametrize("declared", [Callable[[], int], {"$ref": "#/nowhere/at/all"}])
def test_what_cannot_be_told_is_an_empty_object(declared: Any) -> None:
    schema = schema_for(Callable[[], int]) if not isinstance(declared, dict) else Broken(declared)
    assert example(schema) == {}


def test_no_schema_asks_for_nothing() -> None:
    assert example(None) == {}


class Broken(type(schema_for({}))):  # type: ignore[misc]
    """A document that is not looked at before it is used."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document


def test_formats_are_real_values() -> None:
    for declared in (datetime, date, UUID):
        TypeAdapter(declared).validate_json(f'"{example(schema_for(declared))}"')
