from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import Resolver404, URLPattern, include, path, resolve, reverse

from motia_django.registry import Registry
from motia_django.web.routing import Routes, urlpatterns_for
from tests.factories import installed, make_step, nothing
from tests.web.serving import http, served

PATHS = (
    "/",
    "/a",
    "/a/b",
    "/a/:id",
    "/:x/b",
    "/:x/:y",
    "/a/:x/c",
    "/a/b/:y",
    "/:x/b/c",
    "/:x/:y/:z",
    "/a/b/c",
    "/B/a",
    "/ä/:id",
    "/c/:id",
    "/c/",
)


def steps_at(*paths: str) -> list[Any]:
    return [
        make_step(nothing, http(path=path), name=f"S{number}") for number, path in enumerate(paths)
    ]


def routes_of(*paths: str) -> Routes:
    [routes] = urlpatterns_for(Registry(steps_at(*paths)).routes())
    assert isinstance(routes, Routes)
    return routes


def found(routes: Routes, path: str) -> tuple[Any, ...] | None:
    try:
        match: Any = routes.resolve(path)
    except Resolver404:
        return None
    return (match.func, match.kwargs, match.url_name, match.route, match.captured_kwargs)


def test_a_path_leads_where_django_would_lead_it() -> None:
    routes = routes_of(*PATHS)
    parts = ("a", "b", "B", "c", "", "ä", "a b", "<str:id>", ":id", "a\n")
    for number in (1, 2, 3, 4):
        for segments in product(parts, repeat=number):
            path = "/".join(segments)
            with override_settings(DEBUG=True):
                expected = found(routes, path)
            assert found(routes, path) == expected, path


def test_however_many_routes_there_are_those_that_cannot_match_are_not_tried() -> None:
    routes = routes_of(*(f"/area{number}/:id" for number in range(500)), "/:area/x", "/area7/x/y")
    tried = [str(each.pattern) for each in routes._candidates("area7/x")]
    assert tried == ["area7/<str:id>", "<str:area>/x"]
    assert list(routes._candidates("area7/x/y/z")) == []


def test_to_others_it_is_a_resolver_with_all_patterns_in_it() -> None:
    routes = routes_of(*PATHS)
    assert len(routes.url_patterns) == len(PATHS)
    assert all(isinstance(each, URLPattern) for each in routes.url_patterns)
    assert routes.check() == []


def test_routes_below_a_prefix_with_parameters_are_found_and_reversed() -> None:
    with installed(*steps_at("/todos/:id")), served("<slug:tenant>/v<int:version>/"):
        match = resolve("/acme/v2/todos/7")
        assert match.kwargs == {"tenant": "acme", "version": 2, "id": "7"}
        assert match.route == "<slug:tenant>/v<int:version>/todos/<str:id>"
        assert match.view_name == "motia:S0"
        assert reverse("motia:S0", kwargs=match.kwargs) == "/acme/v2/todos/7"
        with pytest.raises(Resolver404):
            resolve("/acme/v2/todos/7/8")


def test_what_comes_after_the_steps_is_found_after_them(client: Client) -> None:
    urls: Any = type("urls", (), {})
    with installed(*steps_at("/a/:id")) as registry:
        urls.urlpatterns = [
            path("", include((urlpatterns_for(registry.routes()), "motia"))),
            path("a/b/c/", lambda request: HttpResponse(), name="after"),
        ]
        with override_settings(ROOT_URLCONF=urls):
            assert resolve("/a/b/c/").url_name == "after"
            assert resolve("/a/b").view_name == "motia:S0"
            assert client.get("/a/b/c").headers["Location"] == "/a/b/c/"  # by APPEND_SLASH


@override_settings(DEBUG=True)
def test_the_page_of_a_404_lists_the_routes_that_were_tried() -> None:
    with installed(*steps_at("/a", "/b/:id")), served("api/") as client:
        page = client.get("/api/c").content.decode()
    assert "b/&lt;str:id&gt;" in page
    assert "[name='S1']" in page
