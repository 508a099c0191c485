from __future__ import annotations

import logging
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.http import Http404, HttpResponse
from django.template import engines
from django.template.response import TemplateResponse
from django.urls import clear_url_caches, path
from pydantic import BaseModel, Field
from rest_framework.exceptions import NotFound, Throttled
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.response import Response as RestResponse
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from motia_django import Response, recording
from motia_django.recording import Recorder
from motia_django.runs import Status
from tests.factories import kept_run, make_step, nothing, rows
from tests.web.serving import answering, http, post, serving

pytestmark = pytest.mark.django_db


class NewTodo(BaseModel):
    title: str = Field(min_length=1)
    tags: list[str] = []


def test_the_request_is_parsed_and_checked() -> None:
    def handler(request: Any) -> Any:
        assert request.raw.user.is_anonymous
        return {
            "body": {
                "title": request.body.title,
                "params": request.params,
                "query": request.query,
                "header": request.headers["x-tEst"],
                "method": request.method,
                "path": request.path,
                "spellings": request.pathParams == request.path_params == request["params"],
            }
        }

    with answering(handler, "POST", "/todos/:id/:part", bodySchema=NewTodo) as client:
        response = client.post(
            "/todos/a%20b/c?q=1&many=1&many=2",
            {"title": "x"},
            content_type="application/json",
            headers={"X-Test": "yes"},
        )
    assert response.json() == {
        "title": "x",
        "params": {"id": "a b", "part": "c"},
        "query": {"q": "1", "many": ["1", "2"]},
        "header": "yes",
        "method": "POST",
        "path": "/todos/a b/c",
        "spellings": True,
    }


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"title": ""}, "title"),
        ({}, "title"),
        ({"title": "x", "tags": ["a", 1]}, "tags.1"),
        ([], "non_field_errors"),
        ("null", "non_field_errors"),
    ],
)
def test_a_body_that_breaks_its_schema_gets_400_with_the_fields_path(body: Any, field: str) -> None:
    with answering(lambda request: None, "POST", bodySchema=NewTodo) as client:
        response = post(client, body)
    assert response.status_code == 400
    assert list(response.json()) == [field]
    assert rows() == []


def test_a_missing_body_names_the_missing_fields() -> None:
    with answering(lambda request: None, "POST", bodySchema=NewTodo) as client:
        response = client.post("/x", "", content_type="application/json")
    assert (response.status_code, list(response.json())) == (400, ["title"])


def test_malformed_json_gets_400_and_an_unknown_type_415() -> None:
    with answering(lambda request: None, "POST") as client:
        assert post(client, '{"title": ').status_code == 400
        assert client.post("/x", "<a/>", content_type="application/xml").status_code == 415


def test_a_body_without_a_schema_comes_as_it_is() -> None:
    with answering(lambda request: {"body": [request.body]}, "POST") as client:
        assert post(client, {"a": [1]}).json() == [{"a": [1]}]
        assert post(client, "0").json() == [0]
        assert post(client, "").json() == [None]
        assert client.post("/x", {"a": "1", "b": ["2", "3"]}).json() == [
            {"a": "1", "b": ["2", "3"]}
        ]


def test_methods_of_one_path_are_dispatched() -> None:
    steps = [
        make_step(lambda: {"body": "read"}, http("GET", "/users/:id"), name="Read"),
        make_step(lambda r: {"body": r.params}, http("DELETE", "/users/:userId"), name="Delete"),
    ]
    with serving(*steps) as client:
        assert client.get("/users/1").json() == "read"
        assert client.delete("/users/1").json() == {"userId": "1"}
        refused = client.post("/users/1")
        options = client.options("/users/1")
        assert client.head("/users/1").status_code == 200
    assert refused.status_code == 405
    assert sorted(refused["Allow"].split(", ")) == ["DELETE", "GET", "HEAD", "OPTIONS"]
    assert options.status_code == 200
    assert options["Allow"] == refused["Allow"]


def test_a_literal_segment_wins_over_a_parameter_whatever_the_order() -> None:
    steps = [
        make_step(lambda: {"body": "any"}, http("GET", "/users/:id"), name="Any"),
        make_step(lambda: {"body": "me"}, http("GET", "/users/me"), name="Me"),
        make_step(lambda: {"body": "mine"}, http("GET", "/users/me/:thing"), name="Mine"),
        make_step(lambda: {"body": "posts"}, http("GET", "/users/:id/posts"), name="Posts"),
    ]
    with serving(*steps) as client:
        got = [
            client.get(f"/users/{rest}").json()
            for rest in ("7", "me", "me/x", "7/posts", "me/posts")
        ]
    assert got == ["any", "me", "mine", "posts", "mine"]


def test_a_route_can_be_reversed_by_its_steps_name() -> None:
    from django.urls import reverse

    with answering(lambda: None, "GET", "/a/:id"):
        assert reverse("motia:Work", kwargs={"id": "x y"}) == "/a/x%20y"


@pytest.mark.parametrize(
    ("result", "status", "content"),
    [
        ({"status": 201, "body": {"a": 1}}, 201, b'{"a":1}'),
        ({"body": [1]}, 200, b"[1]"),
        ({"status": 202}, 202, b""),
        (None, 204, b""),
        (Response({"a": 1}, status=201), 201, b'{"a":1}'),
        (Response(NewTodo(title="x")), 200, b'{"title":"x","tags":[]}'),
        (RestResponse({"a": 1}, status=418), 418, b'{"a":1}'),
        (HttpResponse("plain", status=203), 203, b"plain"),
        ({"body": "text"}, 200, b'"text"'),
        ({"body": "<b>", "headers": {"Content-Type": "text/html"}}, 200, b"<b>"),
        ({"body": b"\x00\x01"}, 200, b"\x00\x01"),
    ],
)
def test_every_kind_of_answer_goes_out(result: Any, status: int, content: bytes) -> None:
    with answering(lambda: result) as client:
        response = client.get("/x", headers={"Accept": "application/json"})
    assert (response.status_code, response.content) == (status, content)
    assert rows()[0].status == Status.SUCCEEDED


def test_a_response_of_rest_framework_keeps_its_cookies() -> None:
    def handler() -> RestResponse:
        response = RestResponse({"a": 1}, headers={"X-A": "b"})
        response.set_cookie("seen", "1")
        return response

    with answering(handler, responseSchema={200: {"type": "object"}}) as client:
        answer = client.get("/x", headers={"Accept": "application/json"})
    assert (answer.json(), answer["X-A"], answer.cookies["seen"].value) == ({"a": 1}, "b", "1")


def test_a_response_of_rest_framework_is_written_as_it_writes_it() -> None:
    Group.objects.create(name="a")
    data = {"price": Decimal("1.50"), "names": Group.objects.values_list("name", flat=True)}
    with answering(lambda: RestResponse(data)) as client:
        assert client.get("/x").content == b'{"price":1.5,"names":["a"]}'


def test_what_only_its_renderer_can_write_reaches_it() -> None:
    class Count(BaseRenderer):
        media_type = "text/plain"
        format = "count"

        def render(self, data: Any, *_: Any, **__: Any) -> bytes:
            return str(len(data["things"])).encode()

    def handler() -> RestResponse:
        return RestResponse({"things": {object(), object()}})

    with answering(handler, renderers=[Count, JSONRenderer]) as client:
        assert client.get("/x", headers={"Accept": "text/plain"}).content == b"2"
        assert client.get("/x", headers={"Accept": "application/json"}).status_code == 500
    assert [run.status for run in rows()] == ["succeeded", "dead"]
    assert "cannot be written" in rows()[1].error


def test_headers_are_sent() -> None:
    with answering(lambda: {"status": 302, "headers": {"Location": "/y"}}) as client:
        assert client.get("/x")["Location"] == "/y"


@pytest.mark.parametrize(
    ("result", "says"),
    [
        ("text", 'expected {"status": 200'),
        ({"message": "hi"}, "got {'message': 'hi'}"),
        ({"status": "pending"}, "status: expected a status code from 200 to 599, got 'pending'"),
        ({"status": 999}, "got 999"),
        ({"status": 200, "headers": "x"}, "headers: expected a dict"),
        ({"headers": {"X-A": "b\r\nX-C: d"}}, "headers.X-A: expected text on one line"),
        ({"body": object()}, "cannot be written as JSON"),
        ({}, "got {}"),
    ],
)
def test_what_is_no_answer_is_a_500_that_the_history_explains(result: Any, says: str) -> None:
    with answering(lambda: result) as client:
        response = client.get("/x")
    assert response.status_code == 500
    assert says in rows()[0].error
    assert says.encode() not in response.content


def test_an_error_of_the_handler_leaks_nothing_and_is_recorded() -> None:
    def handler() -> None:
        raise ValueError("the password is 1234")

    with answering(handler) as client:
        response = client.get("/x")
    assert response.status_code == 500
    assert b"1234" not in response.content
    run = rows()[0]
    assert run.status == Status.DEAD
    assert "ValueError: the password is 1234" in run.error


def test_of_a_step_that_keeps_its_failures_only_a_failure_is_kept() -> None:
    def handler(request: Any) -> Any:
        return {"body": 1 // int(request.params["by"])}

    step = make_step(handler, http(path="/x/:by"), record="failures")
    with serving(step) as client:
        assert client.get("/x/1").status_code == 200
        assert rows() == []
        assert client.get("/x/0").status_code == 500
    assert "ZeroDivisionError" in rows()[0].error


@pytest.mark.parametrize(
    ("error", "status"), [(NotFound(), 404), (Http404(), 404), (Throttled(wait=5), 429)]
)
def test_rest_frameworks_errors_are_answers(error: Exception, status: int) -> None:
    def handler() -> None:
        raise error

    with answering(handler) as client:
        response = client.get("/x")
    [run] = rows()
    assert (response.status_code, run.status) == (status, Status.SUCCEEDED)
    assert (run.output["status"], run.output["body"]) == (status, response.json())


@pytest.mark.parametrize("answer", [None, ZeroDivisionError])
def test_a_handler_of_exceptions_that_has_no_answer_either_is_a_failure(
    answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def handler() -> None:
        raise NotFound

    def no_answer(error: Exception, context: Any) -> None:
        if answer is not None:
            raise answer

    monkeypatch.setattr(api_settings, "EXCEPTION_HANDLER", no_answer)
    with answering(handler) as client:
        assert client.get("/x").status_code == 500
    assert rows()[0].status == Status.DEAD


def test_a_condition_that_is_false_gets_422() -> None:
    with answering(lambda: None, condition=lambda request: request.query.get("go")) as client:
        response = client.get("/x")
        assert client.get("/x?go=1").status_code == 204
    assert response.status_code == 422
    assert response.json() == {"error": "Request condition not met", "skipped": True}
    assert [run.status for run in rows()] == [Status.SKIPPED, Status.SUCCEEDED]


def test_the_history_tells_of_the_request_without_its_secrets() -> None:
    with answering(lambda request: {"body": {"token": "t"}}, "POST") as client:
        client.post(
            "/x?page=2",
            {"title": "x", "password": "p"},
            content_type="application/json",
            headers={"Authorization": "Bearer b", "Cookie": "c=1", "x-sensor-key": "red-key"},
        )
    run = rows()[0]
    assert (run.trigger, run.source) == ("http", "POST /x")
    assert run.input["headers"]["X-Sensor-Key"] == "********"
    assert run.input["body"] == {"title": "x", "password": "********"}
    assert run.input["headers"]["Authorization"] == run.input["headers"]["Cookie"] == "********"
    assert run.input["query"] == {"page": "2"}
    assert run.output["body"] == {"token": "********"}


def test_a_trace_goes_in_and_out() -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    with answering(lambda request, ctx: {"body": ctx.trace_id}) as client:
        response = client.get("/x", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
        other = client.get("/x", headers={"traceparent": "00-zz-1-01"})
    assert response.json() == response["Motia-Trace-Id"] == rows()[0].trace_id == trace
    assert other["Motia-Trace-Id"] not in (trace, "")


@pytest.mark.parametrize("schema_kind", ["pydantic", "json schema"])
def test_a_response_that_fits_its_schema_goes_out_by_it(schema_kind: str) -> None:
    schema: Any = NewTodo if schema_kind == "pydantic" else NewTodo.model_json_schema()
    with answering(lambda: {"body": {"title": "x"}}, responseSchema={200: schema}) as client:
        assert client.get("/x").json() == {"title": "x"}


def test_a_response_that_breaks_its_schema_is_a_500_in_debug(settings: Any) -> None:
    settings.DEBUG = True
    with answering(lambda: {"body": {"title": ""}}, responseSchema={200: NewTodo}) as client:
        assert client.get("/x").status_code == 500
    assert "The 200 response of Step 'Work' is invalid: title:" in rows()[0].error


def test_a_response_that_breaks_its_schema_is_sent_and_logged_in_production(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logging.getLogger("motia").propagate = True
    with answering(lambda: {"body": {"title": ""}}, responseSchema={200: NewTodo}) as client:
        assert client.get("/x").json() == {"title": ""}
    assert "The 200 response of Step 'Work' is invalid" in caplog.text


def test_a_setting_says_what_becomes_of_a_response_that_breaks_its_schema(settings: Any) -> None:
    settings.MOTIA = {"INVALID_RESPONSES": "error"}
    with answering(lambda: {"body": {"title": ""}}, responseSchema={200: NewTodo}) as client:
        assert client.get("/x").status_code == 500
    settings.DEBUG, settings.MOTIA = True, {"INVALID_RESPONSES": "log"}
    with answering(lambda: {"body": {"title": ""}}, responseSchema={200: NewTodo}) as client:
        assert client.get("/x").status_code == 200


def test_an_async_handler_answers() -> None:
    async def handler(request: Any, ctx: Any) -> Any:
        await ctx.state.set("g", "k", request.body)
        return {"body": await ctx.state.get("g", "k")}

    with answering(handler, "POST") as client:
        assert post(client, {"a": 1}).json() == {"a": 1}


def test_the_projects_policies_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(APIView, "permission_classes", [IsAuthenticated])
    with answering(lambda request: {"body": request.user.username}) as client:
        assert client.get("/x").status_code == 403
        client.force_login(User.objects.create_user("ada"))
        assert client.get("/x").json() == "ada"
    assert len(rows()) == 1


@pytest.mark.django_db(transaction=True)
def test_atomic_requests_roll_back_the_work_and_keep_the_history(settings: Any) -> None:
    from django.db import connections

    def handler(request: Any, ctx: Any) -> None:
        Group.objects.create(name="undone")
        ctx.state.set("g", "k", 1)
        ctx.enqueue("work")
        raise ValueError("no")

    listener = make_step(lambda: None, name="Listener")
    connections["default"].settings_dict["ATOMIC_REQUESTS"] = True
    try:
        step = make_step(handler, http("POST"), name="Fails", enqueues=["work"])
        with serving(step, listener) as client:
            assert client.post("/x").status_code == 500
    finally:
        connections["default"].settings_dict["ATOMIC_REQUESTS"] = False
    assert Group.objects.count() == 0
    assert [(run.step, run.status) for run in rows()] == [("Fails", "dead")]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("atomic", [True, False])
def test_the_run_of_an_atomic_step_commits_with_what_it_wrote(
    atomic: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in production, where those of others wait to be written behind their answers."""
    monkeypatch.delattr("django.core.mail.outbox")
    waiting = Recorder()
    waiting._is_wanted.set()  # so that no thread begins
    monkeypatch.setattr(recording, "_recorder", waiting)
    committed: list[list[str]] = []

    def handler(request: Any, ctx: Any) -> Any:
        Group.objects.create(name="order")
        transaction.on_commit(lambda: committed.append([str(each.id) for each in rows()]))
        return {"status": 201, "body": {"run": ctx.run_id}}

    with serving(make_step(handler, http("POST"), atomic=atomic)) as client:
        run = client.post("/x").json()["run"]
    assert committed == [[run] if atomic else []]
    assert [(str(each.id), each.status) for each in rows()] == [(run, "succeeded")] * atomic
    assert len(waiting._waiting) == (not atomic)
    waiting._waiting.clear()


@pytest.mark.django_db(transaction=True)
def test_an_atomic_step_whose_run_cannot_be_written_has_done_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def handler(request: Any, ctx: Any) -> Any:
        Group.objects.create(name="order")
        kept_run(id=UUID(ctx.run_id))
        return {"status": 201}

    with serving(make_step(handler, http("POST"), atomic=True)) as client:
        assert client.post("/x").status_code == 500
    assert not Group.objects.exists()
    assert [each.status for each in rows()] == ["dead"]


@pytest.mark.django_db(transaction=True)
def test_what_fails_after_the_commit_undoes_no_answer(caplog: Any) -> None:
    def handler(request: Any) -> Any:
        transaction.on_commit(lambda: 1 / 0)
        return {"status": 201, "body": Group.objects.create(name="order").name}

    with serving(make_step(handler, http("POST"), atomic=True)) as client:
        answer = client.post("/x")
    assert (answer.status_code, answer.json()) == (201, "order")
    assert [each.status for each in rows()] == ["succeeded"]
    assert "of Work does after its commit failed" in caplog.text


def test_deep_and_huge_bodies_are_refused_or_taken_but_never_crash() -> None:
    with answering(lambda request: {"body": len(str(request.body))}, "POST") as client:
        deep = post(client, "[" * 100_000 + "]" * 100_000)
        surrogate = post(client, '{"a": "\\ud800"}')
        number = post(client, "1" * 4000)
        huge = post(client, {"a": "x" * 2_000_000})
    assert deep.status_code == 400
    assert surrogate.status_code == 400
    assert number.status_code == 200
    assert huge.status_code == 200


def test_json_may_go_out_under_a_content_type_of_its_own() -> None:
    headers = {"content-type": "application/problem+json"}
    with answering(lambda: {"status": 409, "body": {"a": 1}, "headers": headers}) as client:
        response = client.get("/x")
    assert (response["Content-Type"], response.json()) == ("application/problem+json", {"a": 1})


def test_an_answer_without_a_body_has_no_content_type() -> None:
    with answering(lambda: None) as client:
        assert "Content-Type" not in client.get("/x")


def test_a_text_that_cannot_be_sent_is_a_500_that_the_history_explains() -> None:
    headers = {"Content-Type": "text/plain"}
    with answering(lambda: {"body": "\ud800", "headers": headers}) as client:
        assert client.get("/x").status_code == 500
    assert "UnicodeEncodeError" in rows()[0].error


def test_a_name_with_colons_can_be_reversed_by_dots() -> None:
    from django.urls import reverse

    with serving(make_step(lambda: None, http(path="/q"), name="query::intent: parse")):
        assert reverse("motia:query.intent. parse") == "/q"


def test_before_a_projects_own_views_a_step_takes_its_whole_path() -> None:
    def view(request: Any) -> HttpResponse:
        return HttpResponse("a view")

    with serving(make_step(lambda: {"body": "a Step"}, http("GET", "/x"))) as client:
        urls: Any = django_settings.ROOT_URLCONF
        urls.urlpatterns += [path("x", view), path("y", view)]
        clear_url_caches()
        assert client.get("/x").json() == "a Step"
        assert client.post("/x").status_code == 405
        assert client.get("/y").content == b"a view"


@pytest.mark.parametrize("keys", [{}, {"etag": True}])
def test_a_template_is_an_answer(keys: dict[str, Any]) -> None:
    engine = engines["django"]

    def handler(request: Any) -> TemplateResponse:
        template = engine.from_string("Hello {{ name }}")
        return TemplateResponse(request.raw._request, template, {"name": "Ada"})

    with answering(handler, **keys) as client:
        answer = client.get("/x")
    assert (answer.status_code, answer.content) == (200, b"Hello Ada")
    assert rows()[0].output["body"] == "9 bytes"


def refusals(caplog: pytest.LogCaptureFixture) -> list[str]:
    records = dict.fromkeys(caplog.records)  # caught twice, by the logger and by the root
    return [each.getMessage() for each in records if each.name == "motia.http"]


def test_a_request_that_breaks_its_schema_is_told_of_in_the_log_without_what_it_said(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("motia"), "propagate", True)
    schema = {
        "type": "object",
        "required": ["id"],
        "properties": {"id": {"type": "string"}, "größe": {"type": "integer"}},
        "additionalProperties": {"type": "integer"},
    }
    query = {"type": "object", "properties": {"page": {"type": "integer"}}}
    keys = {"bodySchema": schema, "querySchema": query}
    with answering(nothing, "POST", "/of/:name", **keys) as client:
        post(client, {"id": 5, "größe": "hunter2", "a\nb": "hunter2"}, "/of/x%0Ay?page=hunter2")
        post(client, ["hunter2"], "/of/x")
        post(client, {"id": "x", **{f"f{n}": "hunter2" for n in range(12)}}, "/of/x")
    first, second, third = refusals(caplog)
    began = "Step 'Work' refused POST /of/x with 400: this is invalid: "
    assert "refused POST /of/x y with 400" in first
    assert set(first.partition("invalid: ")[2].split(", ")) == {"id", "größe", "a b", "query.page"}
    assert second == began + "the body"
    assert third.startswith(began + "f")
    assert third.endswith(" and 2 more")
    assert "hunter2" not in caplog.text
    assert not rows()
