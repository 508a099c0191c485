"""What an http Step may answer, and to whom."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel
from rest_framework.authentication import BasicAuthentication, SessionAuthentication
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.settings import api_settings
from rest_framework.views import exception_handler

from tests.openapi.reading import operation, said


class Note(BaseModel):
    text: str


def test_answers_are_those_declared_and_those_of_who_refuses() -> None:
    keys: dict[str, Any] = {
        "responseSchema": {201: Note, 204: {}},
        "bodySchema": Note,
        "condition": lambda: True,
    }
    found = operation("POST", "/x/:id", throttles="5/min", **keys)["responses"]
    assert list(found) == ["201", "204", "400", "403", "404", "406", "413", "415", "422", "429"]
    assert "content" not in found["204"]
    assert set(found["201"]["headers"]) == set(found["422"]["headers"]) == {"Motia-Trace-Id"}
    assert "Retry-After" in found["429"]["headers"]


def test_a_step_that_declares_no_answer_may_answer_anything() -> None:
    found = operation("GET")["responses"]
    assert list(found) == ["400", "403", "406", "default"]
    assert "content" not in found["default"]
    schema = found["400"]["content"]["application/json"]["schema"]
    assert schema == {"anyOf": [{"$ref": "#/components/schemas/InvalidRequest"}, {}]}


def test_a_status_that_is_declared_and_refused_with_may_be_both() -> None:
    found = operation("POST", responseSchema={400: Note, 404: Note})
    assert [each["$ref"].rpartition("/")[2] for each in said(found, "400")["anyOf"]] == [
        "Note",
        "InvalidRequest",
    ]
    assert said(found, "404")["$ref"].endswith("/Note")


def test_a_status_without_a_name_is_told_all_the_same() -> None:
    found = operation("GET", responseSchema={299: Note, 201: Note})["responses"]
    assert found["299"]["description"] == "What the Step answers."
    assert found["201"]["description"] == "Created."


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


def test_versions_and_keys_are_told_with_their_headers_and_their_answers() -> None:
    read = operation("GET", etag=True, responseSchema={200: Note})
    assert list(read["responses"]) == ["200", "304", "400", "403", "406", "412"]
    headers = ["If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"]
    assert [each["name"] for each in read["parameters"]] == headers
    written = operation("PUT", etag=lambda: "1", responseSchema={204: {}})
    assert ("304" in written["responses"], "412" in written["responses"]) == (False, True)
    [key] = operation("POST", idempotency=True)["parameters"]
    assert (key["name"], "required" in key) == ("Idempotency-Key", False)
    once = operation("POST", idempotency={"required": True}, responseSchema={204: {}})
    assert once["parameters"][0]["required"] is True
    assert {"409", "422"} < set(once["responses"])
    assert "Idempotency-Replayed" in once["responses"]["204"]["headers"]


def test_middleware_may_answer_what_the_step_does_not_declare() -> None:
    keys: dict[str, Any] = {"responseSchema": {200: Note}}
    assert "default" not in operation("GET", **keys)["responses"]
    assert (
        "default"
        in operation("GET", middleware=[lambda req, ctx, next: next()], **keys)["responses"]
    )


class Plain(JSONRenderer):
    media_type = "application/vnd.plain+json"
    format = "plain"


def test_a_choice_of_formats_is_told_with_what_a_wrong_one_is_answered() -> None:
    keys: dict[str, Any] = {"renderers": [JSONRenderer, Plain], "responseSchema": {404: Note}}
    found = operation("GET", **keys)
    [told] = found["parameters"]
    assert (told["name"], told["schema"]["enum"]) == ("format", ["json", "plain"])
    assert len(said(found, "404")["anyOf"]) == 2
    assert list(found["responses"]["404"]["content"]) == [JSONRenderer.media_type, Plain.media_type]


def own_format(error: Exception, context: Any) -> Any:
    return exception_handler(error, context)


def test_a_project_with_an_error_format_of_its_own_may_say_anything(monkeypatch: Any) -> None:
    monkeypatch.setattr(api_settings, "EXCEPTION_HANDLER", own_format)
    assert said(operation("POST", condition=lambda: True), "422") == {}


def test_the_header_of_keys_is_the_one_that_the_step_names() -> None:
    found = operation("POST", idempotency={"header": "X-Event", "required": True})
    [header] = found["parameters"]
    assert (header["in"], header["name"], header["required"]) == ("header", "X-Event", True)
