"""Files, bytes and redirects as answers, and what the history keeps of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.http import FileResponse, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from rest_framework.response import Response as RestResponse

from motia_django import Response
from motia_django.runs import Status
from tests.factories import rows
from tests.web.reading import Reading
from tests.web.serving import answering

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database]
SERVERS = ("wsgi", "asgi")
LARGE = bytes(range(256)) * 1000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "report.bin"
    path.write_bytes(LARGE)
    return path


@pytest.mark.filterwarnings("error:StreamingHttpResponse must consume:Warning")
@pytest.mark.parametrize("server", SERVERS)
def test_a_file_is_sent_in_pieces_and_closed(server: str, file: Path) -> None:
    opened: list[Any] = []

    def handler() -> FileResponse:
        opened.append(file.open("rb"))
        return FileResponse(opened[0], as_attachment=True)

    with answering(handler):
        reading = Reading(server)
        pieces = reading.rest()
        reading.close()
    assert b"".join(pieces) == LARGE
    assert len(pieces) > 1
    assert reading.response["Content-Disposition"] == 'attachment; filename="report.bin"'
    assert reading.response["Content-Length"] == str(len(LARGE))
    assert opened[0].closed
    assert rows()[0].output["body"] == "streamed"
    assert rows()[0].output["headers"]["Content-Length"] == str(len(LARGE))


@pytest.mark.filterwarnings("error:StreamingHttpResponse must consume:Warning")
@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("kind", ["plain", "async"])
def test_a_stream_of_djangos_is_sent_in_pieces_whatever_the_server(server: str, kind: str) -> None:
    async def asynchronous() -> Any:
        yield b"a"
        yield b"b"

    def plain() -> Iterator[bytes]:
        yield b"a"
        yield b"b"

    def handler() -> StreamingHttpResponse:
        return StreamingHttpResponse(plain() if kind == "plain" else asynchronous())

    with answering(handler):
        reading = Reading(server)
        assert [reading.next(), reading.rest()] == [b"a", [b"b"]]
        reading.close()
    assert rows()[0].output["body"] == "streamed"


@pytest.mark.parametrize("server", SERVERS)
def test_an_open_file_is_sent_as_a_body(server: str, file: Path) -> None:
    headers = {"Content-Type": "application/pdf"}
    with answering(lambda: {"body": file.open("rb"), "headers": headers}):
        reading = Reading(server)
        assert b"".join(reading.rest()) == LARGE
        reading.close()
    assert rows()[0].output["body"]["bytes"] == len(LARGE)


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (Response(LARGE, headers={"Content-Type": "image/png"}), "256000 bytes"),
        (HttpResponse(LARGE, status=203), "256000 bytes"),
        (HttpResponseRedirect("/there"), "0 bytes"),
        ({"status": 302, "headers": {"Location": "/there"}}, None),
        (RestResponse({"a": 1}, status=418, headers={"X-A": "b"}), {"a": 1}),
        (Response("<b>", headers={"Content-Type": "text/html"}), "<b>"),
    ],
    ids=["bytes", "django's", "a redirect", "a redirect by hand", "rest framework's", "text"],
)
def test_the_history_keeps_no_bytes(answer: Any, body: Any) -> None:
    with answering(lambda: answer) as client:
        response = client.get("/x", headers={"Accept": "application/json"})
    (run,) = rows()
    assert (run.status, run.output["body"]) == (Status.SUCCEEDED, body)
    assert run.output["status"] == response.status_code
    if response.status_code == 302:
        assert run.output["headers"]["Location"] == response["Location"] == "/there"
