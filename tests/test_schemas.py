"""One face for pydantic, JSON Schema and DRF serializers."""

from __future__ import annotations

import dataclasses
import math
from datetime import date
from decimal import Decimal
from itertools import product
from typing import Annotated, Any

import jsonschema_rs
import pytest
from django.contrib.auth.models import User
from django.test import override_settings
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator
from rest_framework import serializers
from typing_extensions import TypedDict

from motia_django.declarations import Mismatch
from motia_django.exceptions import InvalidInput
from motia_django.schemas import schema_for


class Item(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1)
    price: float = 1.0
    tags: list[str] = []


class Order(BaseModel):
    items: list[Item]
    note: Any = None


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)
    day: date
    count: int = 0


class Aliased(BaseModel):
    todo_id: str = Field(alias="todoId")


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Typed(TypedDict):
    name: str
    count: int


class ItemSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(min_length=1)
    price = serializers.DecimalField(max_digits=6, decimal_places=2, required=False)


class OrderSerializer(serializers.Serializer[Any]):
    items = ItemSerializer(many=True)
    owner = ItemSerializer(required=False)
    labels = serializers.ListField(child=serializers.IntegerField(), required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs["items"]:
            raise serializers.ValidationError("an order needs an item")
        return attrs


class ItemsSerializer(serializers.ListSerializer[Any]):
    child = ItemSerializer()


class UserSerializer(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = ("username", "email", "is_staff")


DOCUMENT = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "items": {"type": "array", "items": {"type": "object", "required": ["price"]}},
    },
    "additionalProperties": False,
}


def errors(declared: Any, value: Any) -> dict[str, list[str]]:
    """Return what is wrong with a value."""
    with pytest.raises(InvalidInput) as refused:
        schema_for(declared).clean(value, "Step 'A'")
    assert str(refused.value).startswith("Step 'A' is invalid: ")
    return refused.value.errors


def clean(declared: Any, value: Any) -> Any:
    """Return a value as the handler gets it."""
    return schema_for(declared).clean(value, "Step 'A'")


def dump(declared: Any, value: Any) -> Any:
    """Return a value as it is answered."""
    return schema_for(declared).dump(value, "Step 'A'")


@pytest.mark.parametrize(
    ("declared", "value", "expected"),
    [
        (Item, {"name": "a"}, Item(name="a")),
        (Point, {"x": 1}, Point(1)),
        (Typed, {"name": "a", "count": 1}, {"name": "a", "count": 1}),
        (list[Item], [{"name": "a"}], [Item(name="a")]),
        (dict[str, int], {"a": 1}, {"a": 1}),
        (dict[int, int], {"1": 1}, {1: 1}),
        (Item | None, None, None),
        (Item | Point, {"x": 1}, Point(1)),
        (int, 5, 5),
        (Annotated[int, Field(gt=3)], 5, 5),
        (Any, {"a": object}, {"a": object}),
        (Strict, {"day": "2026-03-04"}, Strict(day=date(2026, 3, 4))),
        (Aliased, {"todoId": "17"}, Aliased(todoId="17")),
        (DOCUMENT, {"name": "a"}, {"name": "a"}),
        ({}, {"anything": [1]}, {"anything": [1]}),
        (ItemSerializer, {"name": "a"}, {"name": "a"}),
        (ItemSerializer, {"name": "a", "price": "1.5"}, {"name": "a", "price": Decimal("1.50")}),
        (OrderSerializer, {"items": [{"name": "a"}]}, {"items": [{"name": "a"}]}),
        (ItemsSerializer, [{"name": "a"}], [{"name": "a"}]),
        (ItemSerializer(many=True), [{"name": "a"}], [{"name": "a"}]),
        (ItemSerializer(partial=True), {}, {}),
    ],
)
def test_a_good_value_is_given_to_the_handler_in_the_schemas_own_way(
    declared: Any, value: Any, expected: Any
) -> None:
    assert clean(declared, value) == expected


@pytest.mark.parametrize(
    ("declared", "value", "paths"),
    [
        (Item, {}, {"name"}),
        (Item, {"name": ""}, {"name"}),
        (Item, {"name": "a", "price": "x", "tags": ["ok", 5]}, {"price", "tags.1"}),
        (Item, {"name": "a", "prize": 1}, {"prize"}),
        (Item, None, {""}),
        (Item, "text", {""}),
        (Item, [], {""}),
        (Order, {"items": [{"name": "a"}, {}]}, {"items.1.name"}),
        (Point, {"x": "x"}, {"x"}),
        (Typed, {"name": "a"}, {"count"}),
        (list[Item], [{"name": "a"}, {}], {"1.name"}),
        (list[Item], {"name": "a"}, {""}),
        (Strict, {"day": "no day", "count": "1"}, {"day", "count"}),
        (Aliased, {"todo_id": "17"}, {"todoId"}),
        (DOCUMENT, {}, {"name"}),
        (DOCUMENT, {"name": 5, "items": [{"price": 1}, {}]}, {"name", "items.1.price"}),
        (DOCUMENT, {"name": "a", "more": 1}, {""}),
        (DOCUMENT, None, {""}),
        ({"allOf": [{"required": ["a"]}, {"required": ["b"]}]}, {}, {"a", "b"}),
        (ItemSerializer, {}, {"name"}),
        (ItemSerializer, None, {""}),
        (ItemSerializer, [], {""}),
        (ItemSerializer, "text", {""}),
        (OrderSerializer, {"items": [{"name": "a"}, {}]}, {"items.1.name"}),
        (OrderSerializer, {"items": []}, {""}),
        (OrderSerializer, {"items": {"name": "a"}}, {"items"}),
        (OrderSerializer, {"items": [{"name": "a"}], "owner": {}}, {"owner.name"}),
        (OrderSerializer, {"items": [{"name": "a"}], "labels": [1, "x"]}, {"labels.1"}),
        (ItemsSerializer, [{"name": "a"}, {"price": "x"}], {"1.name", "1.price"}),
        (ItemsSerializer, {"name": "a"}, {""}),
        (ItemSerializer(many=True, allow_empty=False), [], {""}),
        (ItemSerializer(many=True), [{"name": "a"}, {}], {"1.name"}),
        (ItemSerializer(partial=True), {"name": ""}, {"name"}),
    ],
)
def test_each_error_of_a_bad_value_is_under_the_path_of_its_field(
    declared: Any, value: Any, paths: set[str]
) -> None:
    found = errors(declared, value)
    assert set(found) == paths
    assert all(messages and all(messages) for messages in found.values())


@override_settings(REST_FRAMEWORK={"NON_FIELD_ERRORS_KEY": "errors"})
def test_the_projects_own_key_for_errors_of_the_whole_is_the_empty_path() -> None:
    assert set(errors(OrderSerializer, {"items": []})) == {""}


class Nothing:
    pass


def a_function(value: Any) -> Any:
    return value


class Unresolved(BaseModel):
    other: "NowhereDefined"  # type: ignore[name-defined] # noqa: F821, UP037


@pytest.mark.parametrize(
    "declared",
    [None, "Item", 5, True, [Item], (Item,), {1: 2}, {"type": "strin"}, {"$ref": "#/nowhere"},
     {"pattern": "("}, {"$schema": "http://127.0.0.1:1/x"}, {"type": object()}, {Item}, Nothing,
     Nothing(), Item(name="a"), a_function, lambda value: value, print, object(),
     pytest, Unresolved, Annotated[int, Field(gt="x")]],
    ids=lambda declared: type(declared).__name__,
)  # fmt: skip
def test_what_is_no_schema_is_a_mismatch(declared: Any) -> None:
    with pytest.raises(Mismatch):
        schema_for(declared)


def test_a_schema_is_taken_as_it_is() -> None:
    schema = schema_for(Item)
    assert schema_for(schema) is schema


def nested(depth: int) -> Any:
    """Return a list that deep."""
    value: Any = None
    for _ in range(depth):
        value = [value]
    return value


STRANGE = [{"\ud800": 1}, "\ud800", nested(300), {1: 2}, {"name": object()}, b"bytes"]
TOO_STRANGE_FOR_SERIALIZERS = [{"name": nested(5000)}, {"name": math.nan}, {"name": 10**5000}]


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        *product([Item, DOCUMENT, list[Item], Typed, Strict, ItemSerializer], STRANGE),
        *product([Item, DOCUMENT, list[Item], Typed, Strict], TOO_STRANGE_FOR_SERIALIZERS),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_strangest_input_is_invalid_and_no_other_error(declared: Any, value: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        schema_for(declared).clean(value, "Step 'A'")
    assert len(str(refused.value)) < 5000


def test_the_errors_of_a_json_schema_do_not_repeat_what_was_given() -> None:
    document = {"properties": {"password": {"type": "integer"}}}
    assert "s3cret" not in str(errors(document, {"password": "s3cret"}))


def test_the_errors_of_a_pydantic_model_do_not_repeat_what_was_given() -> None:
    assert "s3cret" not in str(errors(Typed, {"name": "a", "count": "s3cret"}))


# -- answers


@pytest.mark.parametrize(
    ("declared", "value", "expected"),
    [
        (Item, {"name": "a"}, {"name": "a"}),
        (Item, Item(name="a"), {"name": "a", "price": 1.0, "tags": []}),
        (list[Item], [Item(name="a")], [{"name": "a", "price": 1.0, "tags": []}]),
        (Order, {"items": [Item(name="a")]},
         {"items": [{"name": "a", "price": 1.0, "tags": []}], "note": None}),
        (Order, {"items": [{"name": "a"}]}, {"items": [{"name": "a"}]}),
        (Point, Point(1), {"x": 1, "y": 0}),
        (Strict, {"day": date(2026, 3, 4)}, {"day": "2026-03-04"}),
        (Aliased, {"todoId": "1"}, {"todoId": "1"}),
        (dict[str, Any], {"n": 2**70, "d": Decimal("1.1")}, {"n": 2**70, "d": "1.1"}),
        (DOCUMENT, {"name": "a"}, {"name": "a"}),
        (ItemSerializer, {"name": "a", "price": 1.5}, {"name": "a", "price": "1.50"}),
        (OrderSerializer, {"items": [{"name": "a"}]}, {"items": [{"name": "a"}]}),
        (ItemsSerializer, [{"name": "a", "price": 2}], [{"name": "a", "price": "2.00"}]),
        (UserSerializer, User(username="ada", email="a@b.c"),
         {"username": "ada", "email": "a@b.c", "is_staff": False}),
    ],
)  # fmt: skip
def test_an_answer_becomes_plain_json(declared: Any, value: Any, expected: Any) -> None:
    dumped = dump(declared, value)
    assert dumped == expected
    assert type(dumped) in (dict, list)


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        (Item, {}),
        (Item, {"name": "a", "price": math.nan}),
        (Order, {"items": [], "note": object()}),
        (Order, {"items": [], "note": "\ud800"}),
        (list[Item], None),
        (DOCUMENT, {"name": 5}),
        ({}, {"x": object()}),
        ({}, math.inf),
        (ItemSerializer, {}),
        (ItemSerializer, [1]),
        (ItemSerializer, {"name": "a", "price": "no number"}),
        (ItemsSerializer, 5),
    ],
)
def test_an_answer_that_does_not_fit_is_invalid_and_no_other_error(
    declared: Any, value: Any
) -> None:
    with pytest.raises(InvalidInput):
        dump(declared, value)


# -- as JSON Schema


@pytest.mark.parametrize(
    "declared", [Item, Order, Point, Typed, list[Item], int, DOCUMENT, {}, ItemSerializer,
                 OrderSerializer, ItemsSerializer, UserSerializer]
)  # fmt: skip
def test_every_schema_can_be_told_as_a_valid_json_schema(declared: Any) -> None:
    document = schema_for(declared).json_schema()
    jsonschema_rs.meta.validate(document)


def test_the_json_schema_of_a_serializer_tells_fields_types_and_what_is_required() -> None:
    document = schema_for(OrderSerializer).json_schema()
    assert document["title"] == "OrderSerializer"
    assert document["required"] == ["items"]
    assert document["properties"]["items"]["items"]["properties"]["name"] == {"type": "string"}
    assert document["properties"]["labels"] == {"type": "array"}


def test_the_json_schema_of_a_serializer_tells_files_from_texts() -> None:
    class WithFile(serializers.Serializer[Any]):
        picture = serializers.ImageField()
        title = serializers.CharField()

    properties = schema_for(WithFile).json_schema()["properties"]
    assert properties == {
        "picture": {"type": "string", "format": "binary"},
        "title": {"type": "string"},
    }


class Validated(BaseModel):
    code: str = Field(validation_alias=AliasChoices("code", "kode"))

    @field_validator("code")
    @classmethod
    def upper(cls, value: str) -> str:
        if not value.isalpha():
            raise ValueError("only letters")
        return value.upper()


def test_validators_and_aliases_of_a_model_act() -> None:
    assert clean(Validated, {"kode": "ab"}).code == "AB"
    assert errors(Validated, {"kode": "1"}) == {"kode": ["Value error, only letters"]}
