"""Requests that are refused are no runs: they are told to the log, and counted by the hour."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

import pytest
from django.db import connection
from django.http import Http404
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotFound
from rest_framework.permissions import IsAuthenticated

from motia_django import models, tallies
from motia_django.webhooks import signed_by
from tests.factories import make_step, nothing, rows
from tests.web.serving import answering, http, post, serving

pytestmark = pytest.mark.django_db

SIGNED = signed_by("X-Signature", lambda: "s")
RECEIVER: dict[str, Any] = {
    "authentication": [SIGNED],
    "permissions": [],
    "maxBodySize": 50,
    "bodySchema": {"type": "object", "required": ["id"]},
    "idempotency": {"header": "X-Event", "required": True},
}


@pytest.fixture(autouse=True)
def counting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin with nothing counted, and have the log told."""
    monkeypatch.setattr(tallies, "_tally", tallies.Tally())
    monkeypatch.setattr(logging.getLogger("motia"), "propagate", True)


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.name == "motia.http"]


def counted() -> Counter[tuple[str, int]]:
    """Return what is in the table, after what waits was added to it."""
    tallies.write()
    found: Counter[tuple[str, int]] = Counter()
    for row in models.Refusal.objects.all():
        found[row.step, row.status] += row.requests
    return found


def send(client: Client, body: str, *, sign: str | None = "s", event: str = "1") -> int:
    signed = {} if sign is None else SIGNED.sign(body, secret=sign)
    headers = {**signed, **({"X-Event": event} if event else {})}
    return client.post("/x", body, "application/json", headers=headers).status_code


def test_each_refused_request_is_a_line_with_its_reason_and_is_counted(caplog: Any) -> None:
    with answering(nothing, "POST", **RECEIVER) as client:
        found = [
            send(client, '{"id": 1}'),
            send(client, '{"id": 2}'),
            send(client, '{"id": 1}', sign=None),
            send(client, '{"id": 1}', sign="hunter2"),
            send(client, '{"id": 1}', event=""),
            send(client, f'{{"id": "{"x" * 50}"}}'),
            send(client, '{"no": "hunter2"}', event="2"),
        ]
    assert found == [204, 422, 401, 401, 400, 413, 400]
    began = "Step 'Work' refused POST /x with "
    assert told(caplog) == [
        began + "422: This X-Event was sent before, with another request.",
        began + "401: The header X-Signature, a signature, is missing.",
        began + "401: The signature in X-Signature is wrong.",
        began + "400: This request needs a header X-Event.",
        began + "413: The body has 60 bytes, and at most 50 are accepted here.",
        began + "400: this is invalid: id",
    ]
    assert {each.levelname for each in caplog.records if each.name == "motia.http"} == {"WARNING"}
    assert "hunter2" not in caplog.text
    assert counted() == {
        ("Work", 422): 1,
        ("Work", 401): 2,
        ("Work", 400): 2,
        ("Work", 413): 1,
    }
    assert len(rows()) == 1


@pytest.mark.parametrize("error", [NotFound(), Http404(), AuthenticationFailed()])
def test_what_a_handler_answers_is_a_run_and_not_refused(error: Exception, caplog: Any) -> None:
    def handler(request: Any) -> Any:
        raise error

    with answering(handler, "POST", "/x", condition=lambda request: request.body != "no") as client:
        assert [post(client, "1").status_code // 100, post(client, '"no"').status_code] == [4, 422]
    assert (told(caplog), counted()) == ([], {})


def test_permissions_throttles_and_forms_are_told_of_too(caplog: Any) -> None:
    steps = [
        make_step(nothing, http("POST", "/may", permissions=[IsAuthenticated]), name="May"),
        make_step(nothing, http("POST", "/often", throttles=["1/day"]), name="Often"),
    ]
    with serving(*steps) as client:
        post(client, {}, "/may")
        post(client, {}, "/often")
        post(client, {}, "/often")
        post(client, "{", "/may")
    assert [(step, status) for step, status in counted()] == [("May", 403), ("Often", 429)]
    assert told(caplog)[0].endswith("with 403: Authentication credentials were not provided.")


class Coded(BaseAuthentication):
    """Refuses as djangorestframework-simplejwt does."""

    def authenticate(self, request: Any) -> None:
        raise AuthenticationFailed({"detail": "The token is not valid.", "code": "no"})


def test_the_reason_of_an_error_with_more_than_a_text_is_its_text(caplog: Any) -> None:
    with answering(nothing, "POST", authentication=[Coded]) as client:
        post(client, {})
    assert told(caplog) == ["Step 'Work' refused POST /x with 403: The token is not valid."]


def test_a_secret_in_the_path_is_masked_and_no_line_is_broken(caplog: Any) -> None:
    with answering(nothing, "POST", "/of/:name/:token", **RECEIVER) as client:
        client.post("/of/a%0Ab/hunter2", "{}", "application/json")
    [line] = told(caplog)
    assert line.startswith("Step 'Work' refused POST /of/a b/")
    assert "hunter2" not in line
    assert "\n" not in line


def test_what_is_a_secret_in_the_path_is_the_steps_own_word(caplog: Any) -> None:
    step = make_step(nothing, http("POST", "/of/:account/:token", **RECEIVER), redact=["account"])
    with serving(step) as client:
        client.post("/of/hunter2/plain", "{}", "application/json")
    [line] = told(caplog)
    assert "hunter2" not in line
    assert "/plain " in line


def test_a_request_that_is_taken_asks_nothing_of_it() -> None:
    with answering(nothing, "POST") as client, CaptureQueriesContext(connection) as asked:
        assert post(client, {}).status_code == 204
        tallies.write()
    assert not any("motia_refusal" in each["sql"] for each in asked.captured_queries)


def test_a_flood_is_one_row_and_its_numbers_add_up() -> None:
    with answering(nothing, "POST", permissions=[IsAuthenticated]) as client:
        for _ in range(2):
            for _ in range(50):
                post(client, {})
            with CaptureQueriesContext(connection) as asked:
                tallies.write()
            assert len(asked.captured_queries) <= 6
    assert [each.requests for each in models.Refusal.objects.all()] == [100]
