"""What an http trigger says in place of the project's defaults, and what of them stays."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from rest_framework.authentication import BasicAuthentication, SessionAuthentication
from rest_framework.parsers import BaseParser
from rest_framework.permissions import AllowAny, BasePermission, IsAdminUser, IsAuthenticated
from rest_framework.renderers import BaseRenderer
from rest_framework.settings import api_settings
from rest_framework.throttling import ScopedRateThrottle
from rest_framework.versioning import URLPathVersioning
from rest_framework.views import APIView

from motia_django.declarations import Problem
from motia_django.triggers import read
from tests.declared import reader
from tests.factories import make_step
from tests.web.serving import answering, http, post, serving

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]


class OnlyOwner(BasePermission):
    message = "It is somebody else's."

    def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        return bool(obj == request.user.username)


class Shouting(BaseRenderer):
    media_type = "text/shout"
    format = "shout"

    def render(self, data: Any, *_: Any, **__: Any) -> bytes:
        return str(data).upper().encode()


class Lines(BaseParser):
    media_type = "text/lines"

    def parse(self, stream: Any, *_: Any, **__: Any) -> Any:
        return stream.read().decode().splitlines()


def ok(request: Any) -> Any:
    return {"body": {"user": str(request.user), "auth": str(request.auth)}}


def basic(user: str, password: str) -> dict[str, str]:
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {token}"}


def problems(**keys: Any) -> list[Problem]:
    given = reader(http(**keys))
    read(given)
    return given.problems


@pytest.fixture
def _ada() -> None:
    User.objects.create_user("ada", password="secret")
    User.objects.create_superuser("root", password="secret")
    cache.clear()


@pytest.mark.usefixtures("_ada")
def test_who_may_is_asked_as_the_trigger_says() -> None:
    keys = {"authentication": [BasicAuthentication], "permissions": [IsAuthenticated]}
    with answering(ok, **keys) as client:
        refused = client.get("/x")
        assert (refused.status_code, refused["WWW-Authenticate"]) == (401, 'Basic realm="api"')
        assert client.get("/x", headers=basic("ada", "wrong")).status_code == 401
        assert client.get("/x", headers=basic("ada", "secret")).json()["user"] == "ada"


@pytest.mark.usefixtures("_ada")
def test_each_method_of_a_path_has_its_own_policies() -> None:
    keys: dict[str, Any] = {"authentication": BasicAuthentication}
    open_ = make_step(ok, http("GET", **keys, permissions=AllowAny), name="Read")
    closed = make_step(ok, http("POST", **keys, permissions=[IsAdminUser]), name="Write")
    with serving(open_, closed) as client:
        assert client.get("/x").status_code == 200
        assert client.head("/x").status_code == 200
        assert client.post("/x").status_code == 401
        assert client.post("/x", headers=basic("ada", "secret")).status_code == 403
        assert client.post("/x", headers=basic("root", "secret")).status_code == 200
        assert client.options("/x").status_code == 200
        assert client.delete("/x").status_code == 405


@pytest.mark.usefixtures("_ada")
def test_permissions_are_classes_joined_or_plain_functions_or_dotted_paths() -> None:
    def on_tuesdays(request: Any) -> bool:
        return "tuesday" in request.query_params

    def by_view(request: Any, view: Any) -> bool:
        return bool(view.route.path == "/x")

    on_tuesdays.message = "Come on Tuesday."  # type: ignore[attr-defined]
    keys = {
        "authentication": "rest_framework.authentication.BasicAuthentication",
        "permissionClasses": [on_tuesdays, by_view, IsAuthenticated & ~IsAdminUser],
    }
    with answering(ok, **keys) as client:
        ada, root = basic("ada", "secret"), basic("root", "secret")
        assert client.get("/x?tuesday", headers=ada).status_code == 200
        assert client.get("/x?tuesday", headers=root).status_code == 403
        refused = client.get("/x", headers=ada)
        assert (refused.status_code, refused.json()) == (403, {"detail": "Come on Tuesday."})


async def _grants(request: Any) -> bool:
    return bool(request.query_params.get("please"))


def test_a_permission_may_be_an_async_function() -> None:
    with answering(ok, permissions=_grants) as client:
        assert client.get("/x?please=1").status_code == 200
        assert client.get("/x").status_code == 403


@pytest.mark.usefixtures("_ada")
def test_permissions_are_asked_about_one_object() -> None:
    def handler(request: Any) -> Any:
        request.check_object_permissions(request.params["owner"])
        return {"body": "yours"}

    with answering(handler, path="/of/:owner", permissions=[OnlyOwner]) as client:
        client.force_login(User.objects.get(username="ada"))
        assert client.get("/of/ada").json() == "yours"
        refused = client.get("/of/eve")
    assert (refused.status_code, refused.json()) == (403, {"detail": "It is somebody else's."})


def test_a_permission_knows_what_stands_in_the_path() -> None:
    def his_own(request: Any) -> bool:
        return bool(request.params == {"owner": "ada"})

    with answering(ok, path="/of/:owner", permissions=his_own) as client:
        assert client.get("/of/ada").status_code == 200
        assert client.get("/of/eve").status_code == 403


@pytest.mark.usefixtures("_ada")
def test_csrf_is_asked_as_rest_framework_does_it() -> None:
    with answering(ok, "POST", authentication=SessionAuthentication):
        client = Client(enforce_csrf_checks=True)
        assert client.post("/x").status_code == 200, "nobody is logged in: nothing to forge"
        client.force_login(User.objects.get(username="ada"))
        refused = client.post("/x")
        assert (refused.status_code, "CSRF" in refused.json()["detail"]) == (403, True)


@pytest.mark.usefixtures("_ada")
def test_a_rate_counts_for_each_step_and_each_caller() -> None:
    limited = make_step(ok, http("GET", throttles="2/hour"), name="Slow")
    other = make_step(ok, http("GET", "/y", throttles=["2/hour"]), name="Other")
    with serving(limited, other) as client:
        assert [client.get("/x").status_code for _ in range(3)] == [200, 200, 429]
        assert int(client.get("/x")["Retry-After"]) > 3000
        assert client.get("/y").status_code == 200
        assert client.get("/x", REMOTE_ADDR="10.0.0.9").status_code == 200
        client.force_login(User.objects.get(username="ada"))
        assert client.get("/x").status_code == 200


@pytest.mark.usefixtures("_ada")
def test_a_throttle_scope_is_that_of_the_project(monkeypatch: Any) -> None:
    rates = {"uploads": "1/day"}
    monkeypatch.setattr(api_settings, "DEFAULT_THROTTLE_RATES", rates)
    monkeypatch.setattr(ScopedRateThrottle, "THROTTLE_RATES", rates)
    keys = {"throttles": [ScopedRateThrottle], "throttleScope": "uploads"}
    with answering(ok, **keys) as client:
        assert [client.get("/x").status_code for _ in range(2)] == [200, 429]
    [problem] = problems(throttleScope="download")
    assert "expected one of DEFAULT_THROTTLE_RATES (uploads), got 'download'" in problem.message


def test_parsers_and_renderers_are_those_of_the_trigger() -> None:
    keys = {"parsers": [Lines], "renderers": [Shouting]}
    with answering(lambda request: {"body": request.body}, "POST", **keys) as client:
        answer = client.post("/x", "one\ntwo", content_type="text/lines")
        assert (answer.content, answer["Content-Type"]) == (
            b"['ONE', 'TWO']",
            "text/shout; charset=utf-8",
        )
        assert post(client, {}).status_code == 415


def test_no_authentication_is_an_empty_list() -> None:
    with answering(ok, authentication=[], permissions=[]) as client:
        answer = client.get("/x", headers=basic("no", "body"))
    assert answer.json() == {"user": "AnonymousUser", "auth": "None"}


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("authentication", IsAdminUser, "an authentication class of REST framework"),
        ("authentication", "no.such.Class", "what can be imported (No module named 'no')"),
        ("permissions", 5, "a permission class of REST framework, a function"),
        ("permissions", lambda a, b, c: True, "a function of (request) or (request, view)"),
        ("permissions", [BasicAuthentication], "a permission class of REST framework, a function"),
        ("throttles", "10/fortnight", 'a rate such as "10/min"'),
        ("throttles", "0/min", 'a rate such as "10/min"'),
        ("parsers", Shouting, "a parser class of REST framework"),
        ("renderers", [Lines], "a renderer class of REST framework"),
    ],
)
def test_what_is_no_policy_is_a_problem_of_the_file(key: str, value: Any, expected: str) -> None:
    [problem] = problems(**{key: value})
    assert f".{key}: expected {expected}" in problem.message


def test_options_and_vary_go_by_the_steps_own_formats() -> None:
    with answering(ok, "POST", renderers=[Shouting], parsers=[Lines]) as client:
        answer = client.options("/x")
    assert "Accept" not in answer.get("Vary", "")
    assert b"'RENDERS': ['TEXT/SHOUT']" in answer.content
    assert b"'PARSES': ['TEXT/LINES']" in answer.content


def test_the_methods_of_a_path_are_told_in_rest_frameworks_order() -> None:
    steps = [make_step(ok, http(each), name=each) for each in ("DELETE", "PATCH", "PUT", "POST")]
    with serving(*steps, make_step(ok, http("GET"), name="GET")) as client:
        told = client.get("/x")["Allow"]
        assert client.generic("TRACE", "/x").status_code == 405
    assert told == "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS"


def test_the_policies_are_named_for_people() -> None:
    def grants(request: Any) -> bool:
        return True

    trigger: Any = read(
        reader(
            http(
                authentication=[],
                permissions=[grants, IsAuthenticated & ~IsAdminUser],
                throttles=["2/hour"],
            )
        )
    )
    assert trigger.policies.named() == {
        "authentication": [],
        "permissions": ["grants", "(IsAuthenticated and not IsAdminUser)"],
        "throttles": ["2/hour"],
    }


def test_a_version_may_be_in_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(APIView, "versioning_class", URLPathVersioning)
    monkeypatch.setattr(URLPathVersioning, "allowed_versions", ["v1", "v2"])

    def handler(request: Any) -> Any:
        return {"body": request.raw.version}

    with answering(handler, path="/:version/x") as client:
        assert client.get("/v2/x").json() == "v2"
        assert client.get("/v9/x").status_code == 404


@pytest.mark.usefixtures("_ada")
def test_head_counts_as_the_get_that_it_is() -> None:
    with answering(ok, throttles="1/hour") as client:
        assert [client.get("/x").status_code, client.head("/x").status_code] == [200, 429]


@pytest.mark.usefixtures("_ada")
def test_no_address_uses_up_what_is_a_users() -> None:
    ada = User.objects.get(username="ada")
    with answering(ok, throttles="1/hour") as client:
        assert client.get("/x", headers={"X-Forwarded-For": str(ada.pk)}).status_code == 200
        client.force_login(ada)
        assert client.get("/x").status_code == 200
