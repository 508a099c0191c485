"""The http trigger: what may be declared, and what a handler may answer."""

from __future__ import annotations

import logging
import math
from http import HTTPStatus
from typing import Any

import pytest
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpResponse, JsonResponse, StreamingHttpResponse
from django.test import override_settings
from pydantic import BaseModel
from rest_framework import exceptions as rest

from motia_django import Response, http
from motia_django.exceptions import InvalidInput, InvalidResponse, PayloadError
from motia_django.triggers.exchange import Request
from motia_django.triggers.http import METHODS
from tests.declared import good, wrong


class Todo(BaseModel):
    title: str
    done: bool = False


def get(at: str = "/x", **keys: Any) -> Any:
    """Return an http trigger."""
    return good({"type": "http", "path": at, **keys})


def answer(value: Any, **keys: Any) -> Any:
    """Return what becomes of a handler's result."""
    return get(**keys).clean_output(value, "Step 'A'")


def refusal(value: Any, **keys: Any) -> InvalidResponse:
    """Return the error with which a handler's result is refused."""
    with pytest.raises(InvalidResponse) as refused:
        answer(value, **keys)
    return refused.value


# -- declaring


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_known_in_any_case(method: str) -> None:
    assert get(method=method.lower()).source == f"{method} /x"


def test_the_method_is_get_unless_said() -> None:
    assert get().method == "GET"


def test_an_unknown_method_is_a_problem_with_the_nearest() -> None:
    assert "did you mean 'DELETE'" in wrong({"type": "http", "path": "/x", "method": "DELET"})


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/", ()),
        ("/todos", ()),
        ("/todos/", ()),
        ("/todos/:id", ("id",)),
        ("/:a/b/:c_d/e", ("a", "c_d")),
        ("/users/:userId/", ("userId",)),
        ("/v1.0/~me/a-b_c", ()),
        ("/größe/日本", ()),
        ("/" + "x" * 300, ()),
    ],
)
def test_a_path_is_plain_segments_and_parameters(path: str, parameters: tuple[str, ...]) -> None:
    assert get(path).path == path
    assert get(path).parameters == parameters


@pytest.mark.parametrize(
    "path",
    [None, 5, "", "todos", ":id", "//", "/a//b", "/a//", "/:", "/:1", "/:a-b", "/:id.json", "/x:id",
     "/a b", "/a?b=1", "/a#b", "/<int:id>", "/{id}", "/[id]", "/a\n", "/a\x00", "/:id/:id",
     "/a%20b", "/\ud800"],
)  # fmt: skip
def test_what_is_no_path_is_a_problem(path: Any) -> None:
    text = wrong({"type": "http", "path": path})
    assert 'config.path: expected a path such as "/todos/:id"' in text


@pytest.mark.parametrize("key", ["bodySchema", "body_schema"])
def test_the_body_schema_is_read_in_both_spellings(key: str) -> None:
    request = Request(method="POST", path="/x", body={"title": "a"}, query={"q": "1"}, raw=object())
    declared: dict[str, Any] = {key: Todo}
    cleaned = get(**declared).clean_input(request, "Step 'A'")
    assert cleaned.body == Todo(title="a")
    assert (cleaned.query, cleaned.raw) == ({"q": "1"}, request.raw)
    with pytest.raises(InvalidInput, match="title"):
        get(**declared).clean_input(Request(method="POST", path="/x", body={}), "Step 'A'")


def test_without_a_schema_the_request_is_given_as_it_came() -> None:
    request = Request(method="GET", path="/x", body={"anything": 1})
    assert get().clean_input(request, "Step 'A'") is request


@pytest.mark.parametrize("key", ["responseSchema", "response_schema"])
@pytest.mark.parametrize("status", [201, "201", HTTPStatus.CREATED])
def test_response_schemas_are_by_status_as_number_or_text(key: str, status: Any) -> None:
    declared: dict[str, Any] = {key: {status: Todo}}
    assert set(get(**declared).response_schemas) == {201}


@pytest.mark.parametrize(
    "schemas", [Todo, [Todo], {99: Todo}, {600: Todo}, {"ok": Todo}, {"²": Todo}, {True: Todo},
                {None: Todo}, {2.5: Todo}, {200: 5}, {200: None}, "x"],
    ids=repr,
)  # fmt: skip
def test_what_is_no_dict_of_status_to_schema_is_a_problem(schemas: Any) -> None:
    assert "config.responseSchema: expected" in wrong(
        {"type": "http", "path": "/x", "responseSchema": schemas}
    )


def test_an_http_trigger_takes_no_delivery_config() -> None:
    given = {"type": "http", "path": "/x", "config": {"maxRetries": 3}}
    assert "unknown key 'maxRetries' of an http trigger's config" in wrong(given)


def test_the_helper_declares_the_same() -> None:
    def condition(request: Any) -> bool:
        return True

    declared = http(
        "POST", "/x", body_schema=Todo, response_schema={201: Todo}, condition=condition
    )
    trigger = good(declared)
    assert (trigger.method, trigger.path) == ("POST", "/x")
    assert trigger.condition is condition
    assert trigger.body_schema
    assert set(trigger.response_schemas) == {201}
    assert http("GET", "/x") == {"type": "http", "method": "GET", "path": "/x"}


def test_an_invocation_gives_its_data_as_the_body() -> None:
    request = get("/todos/:id", method="PUT").input_for({"a": 1})
    assert (request.method, request.path, request.body) == ("PUT", "/todos/:id", {"a": 1})
    assert request.user.is_anonymous
    assert (request.auth, request.files) == (None, {})


# -- answering


@pytest.mark.parametrize(
    ("value", "status", "body", "headers"),
    [
        (None, 204, None, {}),
        ({"status": 201, "body": {"a": 1}}, 201, {"a": 1}, {}),
        ({"body": [1]}, 200, [1], {}),
        ({"status": 404}, 404, None, {}),
        ({"status": HTTPStatus.ACCEPTED}, 202, None, {}),
        ({"status": 200, "headers": {"X-Count": 5}}, 200, None, {"X-Count": "5"}),
        ({"status": 200, "headers": None}, 200, None, {}),
        ({"body": None}, 200, None, {}),
        (Response({"a": 1}), 200, {"a": 1}, {}),
        (Response("x", status=418, headers={"A": "b"}), 418, "x", {"A": "b"}),
        (Response(b"\xff"), 200, b"\xff", {}),
        ({"body": Todo(title="a")}, 200, {"title": "a", "done": False}, {}),
        ({"body": {"items": (1, 2)}}, 200, {"items": [1, 2]}, {}),
    ],
)
def test_a_result_becomes_a_response(
    value: Any, status: int, body: Any, headers: dict[str, str]
) -> None:
    response = answer(value)
    assert (response.status, response.body, response.headers) == (status, body, headers)


@pytest.mark.parametrize(
    "value", [HttpResponse(b"x"), JsonResponse({}), StreamingHttpResponse([b"x"])]
)
def test_a_response_of_django_goes_out_as_it_is(value: Any) -> None:
    assert answer(value, responseSchema={200: Todo}) is value


@pytest.mark.parametrize(
    "value",
    ["text", b"bytes", 5, True, [], [1], {}, {"id": 1}, {"status": 200, "id": 1}, Todo(title="a"),
     ("body", 200), object()],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_is_no_answer_is_refused_with_what_is_one(value: Any) -> None:
    assert 'expected {"status": 200, "body": ..., "headers": {...}}' in str(refusal(value))


@pytest.mark.parametrize("status", [99, 600, -1, 0, "201", 200.0, None, True, [], math.nan])
def test_a_status_is_a_whole_number_from_100_to_599(status: Any) -> None:
    assert "status" in refusal({"status": status}).errors
    assert "status" in refusal(Response(status=status)).errors


@pytest.mark.parametrize("headers", ["a: b", [], [("a", "b")], 5])
def test_headers_are_a_dict(headers: Any) -> None:
    assert "headers" in refusal({"status": 200, "headers": headers}).errors


def test_two_wrong_parts_are_both_named() -> None:
    assert set(refusal({"status": 0, "headers": 5}).errors) == {"status", "headers"}


@pytest.mark.parametrize("body", [object(), math.nan, {"a": "\ud800"}])
def test_a_body_that_is_no_json_is_an_error(body: Any) -> None:
    with pytest.raises(PayloadError):
        answer({"body": body})


@pytest.mark.parametrize(
    ("response", "raw"),
    [
        (Response(b"x"), True),
        (Response("x"), False),
        (Response("x", headers={"content-TYPE": "text/csv"}), True),
        (Response({"a": 1}, headers={"Content-Type": "application/problem+json"}), False),
        (Response(None), False),
    ],
)
def test_bytes_and_text_of_a_type_of_its_own_go_out_raw(response: Response, raw: bool) -> None:
    assert response.is_raw is raw


def test_a_body_is_answered_as_the_schema_of_its_status_gives_it() -> None:
    schemas = {"responseSchema": {200: Todo}}
    assert answer({"body": {"title": "a", "more": 1}}, **schemas).body == {"title": "a"}
    assert answer({"body": Todo(title="a")}, **schemas).body == {"title": "a", "done": False}
    assert answer({"status": 404, "body": {"more": 1}}, **schemas).body == {"more": 1}


@pytest.mark.parametrize(("policy", "debug"), [("error", False), ("error", True), ("debug", True)])
def test_a_body_that_breaks_its_schema_is_an_error_where_the_settings_say_so(
    policy: str, debug: bool
) -> None:
    with override_settings(MOTIA={"INVALID_RESPONSES": policy}, DEBUG=debug):
        error = refusal({"body": {}}, responseSchema={200: Todo})
    assert error.errors == {"title": ["Field required"]}
    assert "The 200 response of Step 'A'" in str(error)


@pytest.mark.parametrize(("policy", "debug"), [("log", True), ("debug", False)])
def test_a_body_that_breaks_its_schema_is_else_sent_and_an_error_logged(
    policy: str, debug: bool
) -> None:
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger("motia.http")
    log.addHandler(handler)
    try:
        with override_settings(MOTIA={"INVALID_RESPONSES": policy}, DEBUG=debug):
            response = answer({"body": {"wrong": 1}}, responseSchema={200: Todo})
    finally:
        log.removeHandler(handler)
    assert response.body == {"wrong": 1}
    assert len(lines) == 1
    assert "title: Field required" in lines[0]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Http404(), 404),
        (PermissionDenied(), 403),
        (BadRequest(), 400),
        (rest.NotFound(), 404),
        (rest.ValidationError({}), 400),
        (rest.Throttled(), 429),
        (rest.APIException(), None),
        (SuspiciousOperation(), None),
        (ValueError(), None),
        (InvalidInput("x", {}), None),
    ],
    ids=repr,
)
def test_exceptions_that_are_answers_are_told_from_failures(
    error: Exception, expected: int | None
) -> None:
    assert get().status_of(error) == expected
