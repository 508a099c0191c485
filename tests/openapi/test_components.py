"""Schemas as components: each once, under a name of its own."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum

from pydantic import BaseModel, Field, computed_field

from tests.openapi.reading import components, named, operation, said, step


class Kind(Enum):
    A = "a"


class Tree(BaseModel):
    name: str = Field(alias="treeName")
    kind: Kind = Kind.A
    children: list[Tree] = []


def test_definitions_are_components_and_refer_to_each_other() -> None:
    found = components(step("Plant", Tree))
    assert set(found) == {"Tree", "Kind"}
    assert found["Tree"]["properties"]["treeName"]["type"] == "string"
    assert found["Tree"]["properties"]["children"]["items"] == {"$ref": "#/components/schemas/Tree"}


def test_what_several_steps_say_alike_is_one_component() -> None:
    forest = named("Forest", trees=list[Tree], first=Tree)
    assert set(components(step("Plant", Tree, Tree), step("Grow", forest))) == {
        "Tree",
        "Kind",
        "Forest",
    }


def test_what_is_called_alike_and_is_not_has_a_name_of_its_own() -> None:
    one, other = named("Parcel", id=int), named("Parcel", id=str)
    third, fourth = named("Parcel", id=float), named("Parcel", id=bool)
    found = components(step("A", one), step("B", other), step("C", third), step("D", answer=fourth))
    kinds = {name: each["properties"]["id"]["type"] for name, each in found.items()}
    assert kinds == {
        "Parcel": "integer",
        "ParcelInput": "string",
        "CParcel": "number",
        "ParcelOutput": "boolean",
    }


def test_enums_of_the_same_name_are_no_warning_and_need_no_type() -> None:
    one = {"title": "One", "type": "object", "properties": {"sort": {"enum": ["a", 1, None]}}}
    two = {"title": "Two", "type": "object", "properties": {"sort": {"enum": ["b"]}}}
    three = {**two, "title": "Three"}
    four = {**one, "title": "Four", "properties": {"sort": {"type": "array", "items": True}}}
    found = components(step("A", one), step("B", two), step("C", three), step("D", four))
    assert found["One"]["properties"]["sort"]["allOf"] == [{"enum": ["a", 1, None]}]


def test_references_into_a_json_schema_lead_to_its_components() -> None:
    document = {
        "title": "Line order",
        "type": "object",
        "properties": {
            "a/b": {"$ref": "#/definitions/a~1b"},
            "again": {"$ref": "#/properties/a~1b"},
            "whole": {"$ref": "#"},
            "elsewhere": {"$ref": "https://json-schema.org/draft/2020-12/schema"},
        },
        "default": {"$ref": "#/definitions/a~1b"},
        "definitions": {"a/b": {"type": "integer"}},
    }
    found = components(step("A", document, method="PUT"))
    assert set(found) == {"Line_order", "a_1b"}
    properties = found["Line_order"]["properties"]
    assert properties["a/b"] == {"$ref": "#/components/schemas/a_1b"}
    assert properties["again"] == {"$ref": "#/components/schemas/Line_order/properties/a~1b"}
    assert properties["whole"] == {"$ref": "#/components/schemas/Line_order"}
    assert found["Line_order"]["default"] == {"$ref": "#/definitions/a~1b"}


def test_what_json_schema_cannot_express_may_be_anything() -> None:
    assert said(operation("POST", bodySchema=dict[str, type]), "request") == {}


class Priced(BaseModel):
    price: Decimal
    note: str = ""

    @computed_field
    def label(self) -> str:
        return str(self.price)


def test_an_answer_is_told_as_it_is_written_and_not_as_it_is_read() -> None:
    found = components(step("A", Priced, Priced))
    assert set(found["Priced"]["properties"]) == {"price", "note"}
    assert found["PricedOutput"]["properties"]["price"]["type"] == "string"
    assert set(found["PricedOutput"]["required"]) == {"price", "label"}
