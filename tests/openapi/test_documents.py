"""What each http Step says of itself, in the project's document and in one of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from enum import Enum
from types import ModuleType
from typing import Any

import jsonschema_rs
import pytest
from django.test import override_settings
from django.urls import clear_url_caches, include, path
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import patched_settings
from pydantic import BaseModel, Field, computed_field
from rest_framework import serializers
from rest_framework.authentication import BasicAuthentication, SessionAuthentication
from rest_framework.generics import CreateAPIView
from rest_framework.parsers import JSONParser
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.settings import api_settings
from rest_framework.views import exception_handler

from motia_django import Upload
from motia_django.openapi.documents import step_document, why_invalid
from motia_django.registry import registry
from motia_django.steps import Step
from motia_django.web.routing import urlpatterns_for
from tests.factories import make_step, nothing
from tests.openapi.declared import steps
from tests.web.serving import http, serving

VERSIONS = ("3.0.3", "3.1.0")


def document(*declared: Step, **settings: Any) -> dict[str, Any]:
    """Return the valid document of these Steps, made without a warning."""
    with serving(*declared), patched_settings(settings):
        found = step_document()
    assert not GENERATOR_STATS, dict(GENERATOR_STATS._warn_cache)
    assert why_invalid(found) == ""
    if found["openapi"] == "3.1.0":
        for schema in found["components"].get("schemas", {}).values():
            jsonschema_rs.meta.validate(schema)
    return found


def operation(*args: Any, name: str = "Work", step: Mapping[str, Any] = {}, **keys: Any) -> Any:
    """Return the operation of one Step with one http trigger."""
    trigger = http(*args, **keys)
    [path_item] = document(make_step(nothing, trigger, name=name, **step))["paths"].values()
    [found] = path_item.values()
    return found


def components(*declared: Step, **settings: Any) -> dict[str, Any]:
    schemas: dict[str, Any] = document(*declared, **settings)["components"]["schemas"]
    ours = ("ConditionNotMet", "InvalidRequest", "Refusal")
    return {name: schema for name, schema in schemas.items() if name not in ours}


def said(found: Any, part: str, **wanted: str) -> Any:
    """Return the schema of an operation's body or of one of its answers."""
    content = found["requestBody"] if part == "request" else found["responses"][part]
    return content["content"]["application/json"]["schema"]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_kind_of_schema_and_every_key_make_a_valid_document(version: str) -> None:
    found = document(*steps(), OAS_VERSION=version)
    assert found["openapi"] == version
    names = {each["operationId"] for item in found["paths"].values() for each in item.values()}
    assert names == {each.name for each in steps()}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_whole_of_the_sample_project_is_valid_without_a_warning(version: str) -> None:
    with patched_settings({"OAS_VERSION": version}):
        found = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    assert not GENERATOR_STATS
    assert why_invalid(found) == ""
    assert list(found["paths"]) == ["/greet", "/orders", "/orders/{id}/ship", "/process", "/todos"]


def test_a_step_says_its_name_what_it_is_for_its_flows_and_where_to_read() -> None:
    about = {
        "description": "Refunds an order.\n\nOnce, and *whole*.",
        "flows": ["orders", "money"],
        "docs": "https://wiki.example.com/refunds",
    }
    found = operation("POST", "/refund", name="Refund", step=about)
    assert found["operationId"] == "Refund"
    assert found["summary"] == "Refunds an order."
    assert found["description"] == "Once, and *whole*."
    assert found["tags"] == ["orders", "money"]
    assert found["externalDocs"] == {"url": "https://wiki.example.com/refunds"}


def test_a_step_that_says_nothing_goes_by_its_name_and_its_app() -> None:
    found = operation("POST", "/refund", name="Refund")
    assert (found["summary"], found["tags"]) == ("Refund", ["tests"])
    assert "description" not in found


def test_several_triggers_and_several_steps_of_one_path_are_told_apart() -> None:
    both = make_step(nothing, http("GET", "/a/:id"), http("PUT", "/a/:key"), name="Both")
    other = make_step(nothing, http("DELETE", "/a/:which"), name="Other")
    [item] = document(both, other)["paths"].values()
    ids = {method: each["operationId"] for method, each in item.items()}
    assert ids == {"get": "Both", "put": "Both_2", "delete": "Other"}
    assert {each["parameters"][0]["name"] for each in item.values()} == {"id"}


def test_head_and_options_are_operations_too() -> None:
    steps = [make_step(nothing, http(method), name=method) for method in ("HEAD", "OPTIONS")]
    assert set(document(*steps)["paths"]["/x"]) == {"head", "options"}


class Query(BaseModel):
    limit: int = Field(10, le=100, description="How many")
    ids: list[int]


class Params(BaseModel):
    number: int


class Headers(BaseModel):
    x_api_version: int
    accept_language: str = "en"
    accept: str = ""


def test_parameters_are_typed_by_their_schemas_and_described() -> None:
    described = [{"name": "ids", "description": "Which"}, {"name": "page", "description": "Where"}]
    keys = {"querySchema": Query, "paramsSchema": Params, "headersSchema": Headers}
    found = operation("GET", "/x/:number/:word", queryParams=described, **keys)
    told = {each["name"]: each for each in found["parameters"]}
    assert list(told) == ["number", "word", "limit", "ids", "page", "X-Api-Version", "Accept-Language"]
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


# -- answers


def test_answers_are_those_declared_and_those_of_who_refuses() -> None:
    keys = {"responseSchema": {201: Note, 204: {}}, "bodySchema": Note, "condition": lambda: True}
    found = operation("POST", "/x/:id", throttles="5/min", **keys)["responses"]
    assert list(found) == ["201", "204", "400", "403", "404", "406", "413", "415", "422", "429"]
    assert "content" not in found["204"]
    assert set(found["201"]["headers"]) == set(found["422"]["headers"]) == {"Motia-Trace-Id"}
    assert "Retry-After" in found["429"]["headers"]


def test_a_step_that_declares_no_answer_may_answer_anything() -> None:
    found = operation("GET")["responses"]
    assert list(found) == ["403", "406", "default"]
    assert "content" not in found["default"]


def test_a_status_that_is_declared_and_refused_with_may_be_both() -> None:
    found = operation("POST", responseSchema={400: Note, 404: Note})
    assert [each["$ref"].rpartition("/")[2] for each in said(found, "400")["anyOf"]] == [
        "Note",
        "InvalidRequest",
    ]
    assert said(found, "404")["$ref"].endswith("/Note")


@pytest.mark.parametrize(
    ("method", "authentication", "permissions", "statuses", "security"),
    [
        ("GET", [], [], set(), None),
        ("GET", [SessionAuthentication], [AllowAny], set(), [{"cookieAuth": []}, {}]),
        ("POST", [SessionAuthentication], [AllowAny], {"403"}, [{"cookieAuth": []}, {}]),
        ("GET", [BasicAuthentication], [], {"401"}, [{"basicAuth": []}, {}]),
        ("GET", [BasicAuthentication], [IsAuthenticated], {"401", "403"}, [{"basicAuth": []}]),
        ("GET", [SessionAuthentication], [IsAuthenticated], {"403"}, [{"cookieAuth": []}]),
        ("GET", [], [lambda request: True], {"403"}, None),
    ],
)
def test_who_may_is_told_by_the_policies(
    method: str, authentication: Any, permissions: Any, statuses: set[str], security: Any
) -> None:
    found = operation(method, authentication=authentication, permissions=permissions)
    assert set(found["responses"]) & {"401", "403"} == statuses
    assert found.get("security") == security


def own_format(error: Exception, context: Any) -> Any:
    return exception_handler(error, context)


def test_a_project_with_an_error_format_of_its_own_may_say_anything(monkeypatch: Any) -> None:
    monkeypatch.setattr(api_settings, "EXCEPTION_HANDLER", own_format)
    assert said(operation("POST", condition=lambda: True), "422") == {}


# -- components


class Kind(Enum):
    A = "a"


class Tree(BaseModel):
    name: str = Field(alias="treeName")
    kind: Kind = Kind.A
    children: list[Tree] = []


def named(name: str, **fields: Any) -> type[BaseModel]:
    """Return a model of that name, as another module would have it."""
    return type(name, (BaseModel,), {"__annotations__": fields, "__module__": __name__})


def step(name: str, body: Any = None, answer: Any = None, method: str = "POST") -> Step:
    keys = {"bodySchema": body} if body is not None else {}
    answers = {"responseSchema": {200: answer}} if answer is not None else {}
    return make_step(nothing, http(method, f"/{name.lower()}", **keys, **answers), name=name)


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
    found = components(
        step("A", one), step("B", other), step("C", third), step("D", answer=fourth)
    )
    kinds = {name: each["properties"]["id"]["type"] for name, each in found.items()}
    assert kinds == {
        "Parcel": "integer",
        "ParcelInput": "string",
        "CParcel": "number",
        "ParcelOutput": "boolean",
    }


class PageSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField()


class PageView(CreateAPIView[Any]):
    serializer_class = PageSerializer


@contextmanager
def beside_a_view(*declared: Step) -> Iterator[None]:
    """Serve these Steps beside a view of the project's own, below a path of its own."""
    with serving(*declared):
        urls = ModuleType("urls_of_a_project")
        patterns = (urlpatterns_for(registry().routes()), "motia")
        urls.urlpatterns = [  # type: ignore[attr-defined]
            path("api/<int:shop>/", include(patterns)),
            path("pages", PageView.as_view()),
        ]
        with override_settings(ROOT_URLCONF=urls):
            clear_url_caches()
            yield


def whole(*declared: Step) -> dict[str, Any]:
    """Return the project's own document."""
    with beside_a_view(*declared):
        found = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    assert not GENERATOR_STATS, dict(GENERATOR_STATS._warn_cache)
    assert why_invalid(found) == ""
    return dict(found)


def test_the_views_of_the_project_are_told_as_without_us() -> None:
    alone = whole()
    page = named("Page", number=str)
    beside = whole(step("A", page), step("B", PageSerializer))
    assert beside["paths"]["/pages"] == alone["paths"]["/pages"]
    schemas = beside["components"]["schemas"]
    assert schemas["Page"] == alone["components"]["schemas"]["Page"]
    assert schemas["PageInput"]["properties"]["number"]["type"] == "string"


def test_the_document_of_the_steps_has_their_paths_in_the_project_and_no_others() -> None:
    with beside_a_view(make_step(nothing, http("GET", "/x/:id"))):
        [(where, item)] = step_document()["paths"].items()
    assert where == "/api/{shop}/x/{id}"
    kinds = {each["name"]: each["schema"]["type"] for each in item["get"]["parameters"]}
    assert kinds == {"shop": "integer", "id": "string"}


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


WITHOUT_IT = """
import sys
import django
from django.conf import settings
apps = ["django.contrib.auth", "django.contrib.contenttypes", "rest_framework", "motia_django"]
settings.configure(INSTALLED_APPS=apps, SECRET_KEY="x")
django.setup()
import motia_django.web.views
assert not [name for name in sys.modules if name.startswith("drf_spectacular")]
"""


def test_a_project_without_drf_spectacular_imports_nothing_of_it() -> None:
    subprocess.run([sys.executable, "-c", WITHOUT_IT], check=True)
