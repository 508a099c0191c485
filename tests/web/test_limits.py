"""Requests over Django's limits, and bodies that cannot be read: each is answered."""

from __future__ import annotations

import zlib
from typing import Any

import pytest
import rest_framework
from django.conf import settings

from tests.factories import make_step, rows
from tests.web.serving import answering, http, serving

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
PARTS = "multipart/form-data; boundary=x"
LARGE = b"x" * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
MANY = settings.DATA_UPLOAD_MAX_NUMBER_FIELDS + 1


def echo(request: Any) -> Any:
    return {"body": request.body}


def part(name: str, content: bytes = b"x", more: str = "") -> bytes:
    head = f'--x\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + content + b"\r\n"


@pytest.mark.parametrize(
    ("content_type", "body", "status", "detail"),
    [
        ("application/json", b'"%s"' % LARGE, 413, "The body is larger than is accepted here."),
        (f"{JSON}; charset=utf-16", LARGE, 413, "The body is larger than is accepted here."),
        pytest.param(
            *(FORM, b"a=" + LARGE, 413, "The body is larger than is accepted here."),
            marks=pytest.mark.skipif(
                rest_framework.VERSION < "3.18", reason="REST framework 3.18 is the first to look"
            ),
        ),
        (PARTS, part("a", LARGE) + b"--x--", 413, "The body is larger than is accepted here."),
        (FORM, b"&".join([b"a=1"] * MANY), 400, "There are more fields than are accepted here."),
        (PARTS, part("a") * MANY + b"--x--", 400, "There are more fields than are accepted here."),
        (
            PARTS,
            part("a", more='; filename="f"') * (settings.DATA_UPLOAD_MAX_NUMBER_FILES + 1),
            400,
            "There are more files than are accepted here.",
        ),
    ],
)
def test_what_is_over_a_limit_of_django_is_answered_in_the_projects_format(
    content_type: str, body: bytes, status: int, detail: str
) -> None:
    with answering(echo, "POST") as client:
        answer = client.generic("POST", "/x", body, content_type)
    assert (answer.status_code, answer.json()) == (status, {"detail": detail})


def test_too_many_values_in_a_query_are_answered_in_the_projects_format() -> None:
    with answering(echo) as client:
        answer = client.get("/x?" + "&".join(["a=1"] * MANY))
    assert answer.status_code == 400
    assert answer.json() == {"detail": "There are more fields than are accepted here."}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (f"{PARTS}; charset=idna", part("a") + b"--x--"),
        ("application/json; charset=utf-16", b"{}"),
        ("application/json; charset=hex", b"{}"),
        ("application/json; charset=zlib", zlib.compress(b"{}")),
        (f"{FORM}; charset=zlib", b"a=1"),
        (f"{FORM}; charset=undefined", b"a=1"),
    ],
)
def test_a_body_in_a_character_set_that_it_is_not_in_is_a_400(
    content_type: str, body: bytes
) -> None:
    with answering(echo, "POST") as client:
        answer = client.generic("POST", "/x", body, content_type)
    assert (answer.status_code, list(answer.json())) == (400, ["detail"])


def test_the_body_of_a_get_is_read_only_if_the_step_says_what_is_in_it() -> None:
    anything = {"type": "object"}
    sent: Any = {"data": b'{"a": 1}', "content_type": "application/json"}
    with answering(echo) as client:
        assert client.generic("GET", "/x", **sent).content == b""
        assert client.generic("GET", "/x", b"{", "application/json").status_code == 200
    with answering(echo, bodySchema=anything) as client:
        assert client.generic("GET", "/x", **sent).json() == {"a": 1}
        assert client.generic("GET", "/x", b"{", "application/json").status_code == 400


def test_other_methods_are_refused_with_those_that_are_allowed() -> None:
    with answering(echo, "POST") as client:
        answer = client.generic("TRACE", "/x")
    assert (answer.status_code, answer["Allow"]) == (405, "POST, OPTIONS")


def test_a_nul_is_text_like_any_other_wherever_it_stands() -> None:
    """PostgreSQL has no text with a NUL in it; the history and its index keys do without."""

    def handler(request: Any) -> Any:
        return {"body": [request.params["id"], request.query["a"], request.body["a"]]}

    step = make_step(handler, http("POST", "/x/:id"), index=["id", "a"])
    with serving(step) as client:
        answer = client.post("/x/%00?a=%00", {"a": "\x00"}, "application/json")
    assert (answer.status_code, answer.json()) == (200, ["\x00"] * 3)
    [row] = rows()
    assert row.input["params"] == {"id": "\x00"}
