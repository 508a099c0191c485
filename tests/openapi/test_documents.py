"""What each http Step says of itself, in the project's document and in one of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from types import ModuleType
from typing import Any

import pytest
from django.core.management import call_command
from django.test import override_settings
from django.urls import clear_url_caches, include, path
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import patched_settings
from rest_framework import serializers
from rest_framework.generics import CreateAPIView

from motia_django.openapi.documents import step_document, why_invalid
from motia_django.registry import registry
from motia_django.steps import Step
from motia_django.web.routing import urlpatterns_for
from tests.factories import make_step, nothing
from tests.openapi.declared import steps
from tests.openapi.reading import document, named, operation, step
from tests.web.serving import http, serving

VERSIONS = ("3.0.3", "3.1.0")


@pytest.mark.parametrize("version", VERSIONS)
def test_every_kind_of_schema_and_every_key_make_a_valid_document(version: str) -> None:
    found = document(*steps(), OAS_VERSION=version)
    assert found["openapi"] == version
    names = {each["operationId"] for item in found["paths"].values() for each in item.values()}
    assert names == {each.name for each in steps()}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_whole_of_the_sample_project_is_valid_without_a_warning(version: str) -> None:
    with patched_settings({"OAS_VERSION": version}):
        found = SchemaGenerator().get_schema(request=None, public=True)
    assert not GENERATOR_STATS
    assert why_invalid(found) == ""
    assert list(found["paths"]) == ["/greet", "/orders", "/orders/{id}/ship", "/process", "/todos"]


def test_the_command_of_drf_spectacular_has_nothing_to_say_about_it() -> None:
    out = StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=out)
    assert "operationId: CreateTodo" in out.getvalue()


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
        found = SchemaGenerator().get_schema(request=None, public=True)
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
