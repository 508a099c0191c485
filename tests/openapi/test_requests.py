"""What an http Step asks for: parameters and bodies."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, Field
from rest_framework import serializers
from rest_framework.parsers import JSONParser

from motia_django import Upload
from tests.openapi.reading import operation, said


class Query(BaseModel):
    limit: int = Field(10, le=100, description="How many")
    ids: list[int]


class Params(BaseModel):
    number: int


class Headers(BaseModel):
    x_api_version: int
    accept_language: str = "en"
    accept: str = ""


class Line(serializers.Serializer[Any]):
    sku = serializers.CharField()


class Empty(serializers.Serializer[Any]):
    pass


def test_a_body_of_many_is_a_list_and_one_of_no_fields_anything() -> None:
    many = operation("POST", bodySchema=Line(many=True))
    assert said(many, "request")["type"] == "array"
    assert said(many, "request")["items"] == {"$ref": "#/components/schemas/Line"}
    assert said(operation("POST", responseSchema={200: Empty}), "200") == {}


def test_parameters_are_typed_by_their_schemas_and_described() -> None:
    described = [{"name": "ids", "description": "Which"}, {"name": "page", "description": "Where"}]
    keys: dict[str, Any] = {"querySchema": Query, "paramsSchema": Params, "headersSchema": Headers}
    found = operation("GET", "/x/:number/:word", queryParams=described, **keys)
    told = {each["name"]: each for each in found["parameters"]}
    assert list(told) == [
        "number",
        "word",
        "limit",
        "ids",
        "page",
        "X-Api-Version",
        "Accept-Language",
    ]
    assert told["number"] == {
        "in": "path",
        "name": "number",
        "required": True,
        "schema": {"type": "integer", "title": "Number"},
    }
    assert told["word"]["schema"] == {"type": "string"}
    assert told["limit"]["description"] == "How many"
    assert told["limit"]["schema"]["maximum"] == 100
    assert "required" not in told["limit"]
    assert told["ids"]["required"] is True
    assert told["ids"]["schema"]["items"] == {"type": "integer"}
    assert (told["ids"]["description"], told["page"]["description"]) == ("Which", "Where")
    assert told["X-Api-Version"]["required"] is True


def test_a_query_of_any_names_is_told_as_an_object() -> None:
    [told] = operation("GET", querySchema=dict[str, int])["parameters"]
    assert told["schema"] == {"type": "object", "additionalProperties": {"type": "integer"}}
    assert told["explode"] is True


class FilterSerializer(serializers.Serializer[Any]):
    size = serializers.ChoiceField(choices=["s", "m"], help_text="How large")
    after = serializers.DateField(required=False)


def test_a_serializer_of_a_query_is_told_by_drf_spectacular() -> None:
    size, after = operation("GET", querySchema=FilterSerializer)["parameters"]
    assert (size["required"], after.get("required")) == (True, None)
    assert size["schema"]["enum"] == ["s", "m"]
    assert after["schema"]["format"] == "date"


class Note(BaseModel):
    text: str


class Picture(BaseModel):
    title: str = ""
    file: Upload


class Pictures(BaseModel):
    files: list[Upload]


class Album(BaseModel):
    notes: list[Note]


FORMS = ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"]


@pytest.mark.parametrize(
    ("schema", "formats", "is_required"),
    [
        (Note, FORMS, True),
        (Picture, ["multipart/form-data"], True),
        (Album, ["application/json"], True),
        (list[Note], ["application/json"], True),
        ({"type": "object", "properties": {"a": {"type": "string"}}}, FORMS, None),
        ({"type": "object", "required": ["not", "told"]}, FORMS, True),
        (Pictures, ["multipart/form-data"], True),
        (FilterSerializer, FORMS, True),
    ],
)
def test_a_body_is_told_in_each_format_that_can_hold_it(
    schema: Any, formats: list[str], is_required: bool | None
) -> None:
    body = operation("POST", bodySchema=schema)["requestBody"]
    assert list(body["content"]) == formats
    assert body.get("required") == is_required


def test_the_formats_are_those_of_the_parsers_in_force() -> None:
    body = operation("POST", bodySchema=Note, parsers=[JSONParser])["requestBody"]
    assert list(body["content"]) == ["application/json"]


def test_a_body_without_a_schema_may_be_anything_or_nothing() -> None:
    body = operation("PUT")["requestBody"]
    assert body["content"]["application/json"] == {"schema": {}}
    assert "required" not in body
    assert "requestBody" not in operation("GET")


def test_a_body_may_come_with_any_method_that_has_a_schema_for_it() -> None:
    for method in ("GET", "DELETE"):
        assert said(operation(method, bodySchema=Note), "request")["$ref"].endswith("/Note")
