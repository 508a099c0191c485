"""Steps that no request reaches are told of, and nothing is said of those that some do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import clear_url_caches, include, path, re_path
from django.utils import translation
from django.views import View
from rest_framework.settings import api_settings
from rest_framework.versioning import (
    AcceptHeaderVersioning,
    NamespaceVersioning,
    URLPathVersioning,
)
from rest_framework.views import APIView

from motia_django.checks.reach import reach
from motia_django.registry import registry
from motia_django.web.routing import urlpatterns_for
from tests.factories import installed, make_step, nothing
from tests.web.serving import http


class Own(View):
    """A view of the project's own."""

    def get(self, request: Any, **parameters: Any) -> HttpResponse:
        return HttpResponse("own")


own = Own.as_view()


@contextmanager
def urls(*patterns: Any) -> Iterator[None]:
    """Have the project serve these patterns."""
    module = ModuleType("urls_of_this_test")
    module.urlpatterns = [*patterns]  # type: ignore[attr-defined]
    with override_settings(ROOT_URLCONF=module):
        clear_url_caches()
        yield
    clear_url_caches()


def steps(prefix: str = "", namespace: str = "motia") -> Any:
    """Return the pattern of the Steps' URLs."""
    return path(prefix, include((urlpatterns_for(registry().routes()), "motia"), namespace))


def said() -> list[tuple[str | None, str]]:
    return [(each.id, each.msg) for each in reach(None)]


@pytest.mark.parametrize(
    ("declared", "before", "prefix"),
    [
        ("/orders", path("orders", own), ""),
        ("/orders", path("api/orders", own), "api/"),
        ("/orders/:id", path("orders/<str:pk>", own), ""),
        ("/orders/:id/paid", re_path("^orders/", own), ""),
        ("/any/:a/:b", re_path(r"^.*$", own), ""),
    ],
)
def test_a_path_that_another_view_answers_is_a_warning_with_that_view(
    declared: str, before: Any, prefix: str
) -> None:
    with installed(make_step(nothing, http("POST", declared))), urls(before, steps(prefix)):
        [(id, message)] = said()
    assert id == "motia.W038"
    assert f"No request for POST {declared} reaches Step 'Work': {__name__}.Own answers" in message


@pytest.mark.parametrize(
    ("declared", "other", "is_before"),
    [
        ("/orders", path("orders", own), False),
        ("/orders", path("orders/", own), True),
        ("/orders/:id", path("orders/<int:pk>", own), True),
        ("/orders/:id", path("orders/<uuid:pk>", own), True),
        ("/orders/:id", path("orders/new", own), True),
        ("/a/:b", path("other/<path:rest>", own), True),
        ("/a~$/:b", path("x", own), True),
    ],
)
def test_one_that_some_request_comes_to_is_none(declared: str, other: Any, is_before: bool) -> None:
    with installed(make_step(nothing, http("POST", declared))):
        both = (other, steps()) if is_before else (steps(), other)
        with urls(*both):
            assert said() == []


def test_each_trigger_of_a_step_is_looked_at_where_it_is_served() -> None:
    both = [http("GET", "/a"), http("POST", "/b/a"), http("PUT", "/c/:x")]
    with (
        installed(make_step(nothing, *both)),
        urls(path("api/b/a", own), steps("api/")),
    ):
        [(_, message)] = said()
    assert "POST /b/a" in message


def test_steps_among_themselves_are_no_others() -> None:
    one = make_step(nothing, http("GET", "/a/:b"), name="One")
    two = make_step(nothing, http("GET", "/a/:b/c"), name="Two")
    other = make_step(nothing, http("POST", "/:a/x"), name="Other")
    with installed(one, two, other), urls(steps()):
        assert said() == []


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("is_prefixed", [True, False])
def test_a_prefix_of_the_language_raises_no_alarm(language: str, is_prefixed: bool) -> None:
    with installed(make_step(nothing, http("GET", "/a/:b"))), translation.override(language):
        patterns = i18n_patterns(steps("api/"), prefix_default_language=is_prefixed)
        with urls(path("a/<str:b>", own), *patterns):
            assert said() == []
        patterns = i18n_patterns(
            path("api/a/<str:b>", own), steps("api/"), prefix_default_language=is_prefixed
        )
        with urls(*patterns):
            assert len(said()) == 1


def test_where_a_prefix_has_parameters_or_no_url_includes_the_steps_nothing_is_said() -> None:
    with installed(make_step(nothing, http("GET", "/a"))):
        with urls(path("<slug:tenant>/a", own), steps("<slug:tenant>/")):
            assert said() == []
        with urls(path("a", own)):
            assert said() == []


def test_a_script_prefix_is_not_part_of_the_path() -> None:
    from django.urls import set_script_prefix

    set_script_prefix("/app/")
    try:
        with installed(make_step(nothing, http("GET", "/a"))), urls(steps()):
            assert said() == []
            with urls(path("a", own), steps()):
                assert len(said()) == 1
    finally:
        set_script_prefix("/")


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that sets how REST framework versions the API."""

    def versions(scheme: type[Any], default: str | None = None) -> None:
        for kind in (NamespaceVersioning, URLPathVersioning):
            monkeypatch.setattr(kind, "allowed_versions", ["v1", "v2"])
            monkeypatch.setattr(kind, "default_version", default)
        monkeypatch.setattr(api_settings, "DEFAULT_VERSIONING_CLASS", scheme)
        monkeypatch.setattr(APIView, "versioning_class", scheme)

    return versions


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("scheme", "default", "declared", "namespace", "status"),
    [
        (NamespaceVersioning, None, "/a", "motia", 404),
        (NamespaceVersioning, None, "/a", "v1", 204),
        (NamespaceVersioning, "v1", "/a", "motia", 404),
        (URLPathVersioning, None, "/a", "motia", 404),
        (URLPathVersioning, "v1", "/a", "motia", 204),
        (URLPathVersioning, None, "/:version/a", "motia", 204),
        (AcceptHeaderVersioning, None, "/a", "motia", 204),
    ],
)
def test_steps_without_a_version_that_the_project_looks_for_are_a_warning(
    versions: Any, scheme: Any, default: Any, declared: str, namespace: str, status: int
) -> None:
    versions(scheme, default)
    with installed(make_step(nothing, http("GET", declared))), urls(steps("", namespace)):
        answer = Client().get(declared.replace(":version", "v1"))
        found = said()
    assert answer.status_code == status
    assert [id for id, _ in found] == (["motia.W037"] if status == 404 else [])
