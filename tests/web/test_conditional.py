"""`ETag`, `Last-Modified` and what requests may ask by them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.http import FileResponse, HttpResponse

from motia_django import http
from tests.declared import good, wrong
from tests.factories import make_step, rows
from tests.web.serving import answering, serving
from tests.web.serving import http as trigger

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

JSON = {"Accept": "application/json"}
LONG_AGO = "Thu, 01 Jan 1998 00:00:00 GMT"


@pytest.mark.parametrize(
    "answer",
    [{"body": {"a": 1}}, {"body": b"abc"}, HttpResponse("text")],
    ids=["json", "bytes", "django's"],
)
def test_an_answer_gets_an_etag_and_who_has_it_gets_304(answer: Any) -> None:
    with answering(lambda: answer, etag=True) as client:
        first = client.get("/x", headers=JSON)
        known = JSON | {"If-None-Match": first["ETag"]}
        again, head = client.get("/x", headers=known), client.head("/x", headers=known)
        other = client.get("/x", headers=JSON | {"If-None-Match": '"other"'})
        only_head = client.head("/x", headers=JSON)
    assert first["ETag"].startswith('"')
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    assert again.get("Vary") == first.get("Vary")
    assert head.status_code == 304
    assert (other.status_code, other.content) == (200, first.content)
    assert (only_head.status_code, only_head["ETag"]) == (200, first["ETag"])
    assert {run.output["status"] for run in rows()} == {200}


def test_each_format_and_each_body_has_an_etag_of_its_own() -> None:
    with answering(lambda request: {"body": dict(request.query)}, etag=True) as client:
        asked = [("/x", "application/json"), ("/x", "text/html"), ("/x?a=1", "application/json")]
        answers = [client.get(path, headers={"Accept": kind}) for path, kind in asked]
    assert len({each["ETag"] for each in answers}) == 3
    assert {each["Vary"].split(",")[0] for each in answers} == {"Accept"}


def test_the_handlers_own_etag_and_time_are_respected() -> None:
    when = "Wed, 21 Oct 2015 07:28:00 GMT"
    headers = {"ETag": '"mine"', "Last-Modified": when}
    with answering(lambda: {"body": 1, "headers": headers}, etag=True) as client:
        assert client.get("/x")["ETag"] == '"mine"'
        asked = [
            ({"If-None-Match": '"mine"'}, 304),
            ({"If-None-Match": 'W/"mine"'}, 304),
            ({"If-None-Match": "*"}, 304),
            ({"If-None-Match": '"other"', "If-Modified-Since": when}, 200),
            ({"If-Modified-Since": when}, 304),
            ({"If-Modified-Since": LONG_AGO}, 200),
            ({"If-Match": '"other"'}, 412),
            ({"If-Match": '"mine"'}, 200),
        ]
        got = [client.get("/x", headers=each).status_code for each, _status in asked]
    assert got == [status for _each, status in asked]


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 404, "body": 1},
        {"status": 201, "body": 1},
        {"body": 1, "headers": {"Cache-Control": "private, no-store"}},
        {"body": (each for each in "ab")},
    ],
    ids=["an error", "what is created", "what nobody may keep", "what is streamed"],
)
def test_other_answers_get_none(answer: Any) -> None:
    with answering(lambda: answer, etag=True) as client:
        got = client.get("/x")
        assert "ETag" not in got
        got.close()


def test_without_the_key_there_is_none() -> None:
    with answering(lambda: {"body": 1, "headers": {"ETag": '"a"'}}) as client:
        assert client.get("/x", headers={"If-None-Match": '"a"'}).status_code == 200


def test_a_file_that_is_not_sent_is_closed(tmp_path: Any) -> None:
    file = tmp_path / "a.txt"
    file.write_text("a")
    opened: list[Any] = []

    def handler() -> FileResponse:
        opened.append(file.open("rb"))
        return FileResponse(opened[0], headers={"ETag": '"a"'})

    with answering(handler, etag=True) as client:
        assert client.get("/x", headers={"If-None-Match": '"a"'}).status_code == 304
    assert opened[0].closed


@pytest.mark.parametrize("is_async", [False, True])
def test_a_function_spares_the_handler(is_async: bool) -> None:
    called: list[str] = []

    def plain(request: Any) -> str | None:
        return request.params["id"] if request.params["id"] != "new" else None

    async def asynchronous(request: Any) -> str | None:
        return plain(request)

    def handler(request: Any) -> Any:
        called.append(request.method)
        return {"body": 1}

    etag = asynchronous if is_async else plain
    steps = [
        make_step(handler, trigger(method, "/x/:id", etag=etag), name=method)
        for method in ("GET", "PUT")
    ]
    with serving(*steps) as client:
        seen = client.get("/x/1", headers=JSON)
        spared = client.get("/x/1", headers=JSON | {"If-None-Match": '"1"'})
        answers = [
            client.put("/x/1", headers={"If-Match": '"1"'}),
            client.put("/x/1", headers={"If-Match": '"2"'}),
            client.put("/x/new", headers={"If-Match": "*"}),
            client.put("/x/new", headers={"If-None-Match": "*"}),
            client.put("/x/1", headers={"If-None-Match": "*"}),
            client.put("/x/1"),
        ]
    assert (seen["ETag"], spared.status_code, spared["ETag"]) == ('"1"', 304, '"1"')
    assert spared["Vary"] == seen["Vary"]
    assert [each.status_code for each in answers] == [200, 412, 412, 200, 412, 200]
    assert "ETag" not in answers[0]
    assert called == ["GET", "PUT", "PUT", "PUT"]
    assert len(rows()) == 4


def test_a_function_may_tell_when_it_was_changed() -> None:
    when = datetime(2015, 10, 21, 7, 28, tzinfo=UTC)
    text = "Wed, 21 Oct 2015 07:28:00 GMT"
    steps = [
        make_step(lambda: {"body": 1}, trigger(method, etag=lambda: when), name=method)
        for method in ("GET", "DELETE")
    ]
    with serving(*steps) as client:
        assert client.get("/x")["Last-Modified"] == text
        assert client.get("/x", headers={"If-Modified-Since": text}).status_code == 304
        asked = {text: 200, LONG_AGO: 412}
        for since, status in asked.items():
            answer = client.delete("/x", headers={"If-Unmodified-Since": since})
            assert answer.status_code == status


def test_a_function_that_fails_or_says_what_is_no_version_is_a_500() -> None:
    def fails(request: Any) -> Any:
        raise {"k": KeyError("k")}[request.query["e"]]

    for etag in (fails, lambda: 5):
        with answering(lambda: {"body": 1}, etag=etag) as client:
            assert client.get("/x?e=k").status_code == 500
    assert rows() == []


@pytest.mark.parametrize("value", ["yes", 1, [], lambda request, ctx: None])
def test_what_says_no_version_is_a_problem(value: Any) -> None:
    text = wrong({"type": "http", "path": "/x", "etag": value})
    assert "config.etag: expected True, or a function of (request)" in text


def test_the_answer_to_a_write_comes_too_late_to_refuse_it() -> None:
    text = wrong({"type": "http", "path": "/x", "method": "PUT", "etag": True})
    assert "comes too late to refuse the request Give a function of (request)" in text
    assert good(http("PUT", "/x", etag=lambda request: "a")).etag
    assert good(http("PUT", "/x", etag=False)).etag is False
