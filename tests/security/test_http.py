"""Malice over HTTP: each request is answered, begins no run that it may not, and leaks nothing."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, unquote

import pytest

from tests.factories import make_step, rows
from tests.security.malice import DIGITS, LONG, REFUSED, TAKEN, TEXTS, by_name, told_nothing
from tests.web.serving import answering, http, serving

pytestmark = pytest.mark.django_db

JSON = "application/json"


def echo(request: Any) -> Any:
    return {"body": [request.body]}


def version() -> str:
    return "1"


@pytest.mark.parametrize("body", **by_name(REFUSED))
def test_what_no_handler_may_be_given_is_a_400_and_begins_no_run(body: str | bytes) -> None:
    with answering(echo, "POST") as client:
        answer = client.post("/x", body, content_type=JSON)
    assert (answer.status_code, list(answer.json())) == (400, ["detail"])
    assert told_nothing(answer.content)
    assert len(answer.content) < 1000
    assert rows() == []


@pytest.mark.parametrize("body", **by_name(TAKEN))
def test_what_is_json_arrives_as_it_is_and_is_in_the_history(body: str) -> None:
    with answering(echo, "POST") as client:
        answer = client.post("/x", body, content_type=JSON)
    assert answer.status_code == 200, answer.content
    assert json.loads(answer.content) == [json.loads(body)]
    [row] = rows()
    assert row.status == "succeeded"
    is_large = len(body) > 60_000
    assert ("motia:cut" in row.input) is is_large
    assert is_large or row.input["body"] == json.loads(body)


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/xml",
        "application/x-python-pickle",
        "application/json/x",
        "nonsense",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        f"multipart/form-data; boundary={'x' * 300}",
        "application/json; charset=zlib",
        "application/json; charset=undefined",
        "application/x-www-form-urlencoded; charset=unicode_escape_of_none",
    ],
)
def test_a_body_of_another_type_is_refused(content_type: str) -> None:
    schema = {"type": "object", "required": ["a"]}
    with answering(echo, "POST", bodySchema=schema) as client:
        answer = client.generic("POST", "/x", b"\x80\x04N.", content_type)
    assert answer.status_code in (400, 415), answer.content
    assert told_nothing(answer.content)
    assert rows() == []


@pytest.mark.parametrize("text", **by_name(TEXTS))
def test_whatever_stands_in_an_address_is_text(text: str) -> None:
    """A slash is none of a parameter, however it is spelled: then there is no such page."""

    def handler(request: Any) -> Any:
        return {"body": [request.params["name"], request.query["q"]]}

    step = make_step(handler, http(path="/files/:name"), index=["name", "q"])
    with serving(step) as client:
        answer = client.get(f"/files/{quote(text, safe='')}?q={quote(text, safe='')}")
    assert told_nothing(answer.content)
    if "/" in text or not text:
        assert (answer.status_code, rows()) == (404, [])
        return
    assert (answer.status_code, answer.json()) == (200, [text, text])
    assert rows()[0].input["params"] == {"name": text}


@pytest.mark.parametrize(
    "path",
    ["//files/a", "/files/a/", "/files/%2e%2e", "/files/..", "/files/a%2fb", "/files\\a", "/%ff"],
)
def test_a_path_is_not_put_in_order_and_finds_nothing_else(path: str) -> None:
    with answering(lambda request: {"body": request.params["name"]}, path="/files/:name") as client:
        answer = client.get(path)
    assert answer.status_code in (200, 404)
    if answer.status_code == 200:
        assert answer.json() == unquote(path).rpartition("/")[2]


@pytest.mark.parametrize("text", ["a\r\nSet-Cookie: stolen=1", "a\nb", "\r", "a\x00b"])
def test_a_header_that_is_answered_holds_no_other_one(text: str) -> None:
    def handler(request: Any) -> Any:
        return {"headers": {"X-Name": request.query["q"]}, "body": "ok"}

    with answering(handler) as client:
        answer = client.get("/x", {"q": text})
    assert "stolen" not in str(answer.headers)
    assert "Set-Cookie" not in answer.headers
    assert not any(set("\r\n") & set(value) for value in answer.headers.values())
    assert told_nothing(answer.content)


@pytest.mark.parametrize("text", [*TEXTS.values(), LONG, "00-" + "f" * 32 + "-0-1", "é\xff"])
def test_a_header_of_a_request_is_text_that_breaks_nothing(text: str) -> None:
    names = ("Traceparent", "Accept", "Idempotency-Key", "If-Match", "X-Other", "Cookie")
    text = text.encode().decode("latin-1")  # as servers hand headers on
    with answering(echo, "POST", etag=version, idempotency=True) as client:
        for name in names:
            headers: Any = {name: text}
            answer = client.post("/x", b"{}", content_type=JSON, headers=headers)
            assert answer.status_code in (200, 400, 406, 412), (name, answer.content)
            assert told_nothing(answer.content)
    assert {row.status for row in rows()} <= {"succeeded"}
    assert all(len(row.trace_id) == 32 and row.trace_id.isalnum() for row in rows())


@pytest.mark.parametrize("length", ["-1", "abc", DIGITS, "1e9", "٣", " 2 "])
def test_a_length_that_is_none_is_not_believed(length: str) -> None:
    with answering(echo, "POST", maxBodySize=100) as client:
        answer = client.generic("POST", "/x", b"{}", JSON, CONTENT_LENGTH=length)
    assert (answer.status_code, list(answer.json())) == (400, ["detail"])


@pytest.mark.parametrize("text", **by_name(TEXTS))
def test_a_format_that_is_asked_for_and_not_there_is_no_error(text: str) -> None:
    with answering(lambda: {"body": 1}) as client:
        answer = client.get("/x", {"format": text})
    assert answer.status_code in (200, 404)
    assert told_nothing(answer.content)


def test_what_a_handler_stumbles_over_is_not_told() -> None:
    def handler(request: Any) -> Any:
        raise RuntimeError(f"the password is {request.body['password']}")

    with answering(handler, "POST") as client:
        answer = client.post("/x", {"password": "hunter2"}, content_type=JSON)
    assert answer.status_code == 500
    assert b"hunter2" not in answer.content
    assert told_nothing(answer.content)
    [row] = rows()
    assert row.input["body"] == {"password": "********"}
