"""What comes in with a request besides JSON: its query, path, headers, forms, files, bytes."""

from __future__ import annotations

import hashlib
import hmac
from enum import Enum
from io import BytesIO
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.handlers.asgi import ASGIRequest
from django.test import Client
from pydantic import BaseModel, ConfigDict, Field
from rest_framework import serializers
from rest_framework.authentication import SessionAuthentication
from rest_framework.parsers import BaseParser, FileUploadParser

from motia_django import Upload, invoke
from motia_django.registry import registry
from motia_django.triggers import read
from motia_django.web.views import view_for
from tests.declared import reader
from tests.factories import installed, make_step, rows
from tests.web.serving import answering, http, post, served

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]


class Sort(Enum):
    NEW = "new"
    OLD = "old"


class Listing(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: int = Field(10, le=100)
    ids: list[int] = []
    sort: Sort = Sort.NEW
    done: bool | None = None
    text: str | int = ""


LISTING = {
    "type": "object",
    "properties": {
        "limit": {"type": "integer", "maximum": 100},
        "ids": {"type": "array", "items": {"$ref": "#/$defs/Id"}},
        "ratio": {"type": ["number", "null"]},
        "done": {"type": "boolean"},
        "text": {"type": "string"},
    },
    "required": ["limit"],
    "$defs": {"Id": {"type": "integer"}},
}


class ListingSerializer(serializers.Serializer[Any]):
    limit = serializers.IntegerField(max_value=100)
    ids = serializers.ListField(child=serializers.IntegerField(), required=False)
    done = serializers.BooleanField(required=False)


def query(request: Any) -> Any:
    given = request.query
    return {"body": given if isinstance(given, dict) else given.model_dump(mode="json")}


def echo(request: Any) -> Any:
    return {"body": request.body}


@pytest.mark.parametrize(
    ("schema", "text", "expected"),
    [
        (Listing, "limit=7&ids=1&done=true", {"limit": 7, "ids": [1], "done": True}),
        (Listing, "ids=1&ids=2&text=5&sort=old", {"ids": [1, 2], "text": "5", "sort": "old"}),
        (Listing, "", {"limit": 10, "ids": [], "done": None}),
        (LISTING, "limit=7&ids=1&ratio=1.5&done=0", {"ids": [1], "ratio": 1.5, "done": False}),
        (
            LISTING,
            "limit=+7&ids=1&ids=2&text=5&other=5",
            {"ids": [1, 2], "text": "5", "other": "5"},
        ),
        (LISTING, "limit=1&ratio=null", {"limit": 1, "ratio": None}),
        (ListingSerializer, "limit=7&ids=3&done=true", {"limit": 7, "ids": [3], "done": True}),
        (dict[str, int], "a=1&b=2", {"a": 1, "b": 2}),
    ],
)
def test_a_query_is_read_as_its_schema_wants_it(schema: Any, text: str, expected: Any) -> None:
    with answering(query, querySchema=schema) as client:
        answer = client.get("/x?" + text.replace("+", "%2B"))
    assert answer.status_code == 200, answer.json()
    assert {key: answer.json()[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("schema", "text", "fields"),
    [
        (Listing, "limit=x&sort=odd&bad=1", {"query.limit", "query.sort", "query.bad"}),
        (Listing, "limit=101&ids=1&ids=x", {"query.limit", "query.ids.1"}),
        (LISTING, "ids=1.5", {"query.limit", "query.ids.0"}),
        (LISTING, "limit=1e2&ratio=1e999&done=yes", {"query.limit", "query.ratio", "query.done"}),
        (ListingSerializer, "limit=&ids=x", {"query.limit", "query.ids.0"}),
        (dict[str, int], "a=" + "9" * 5000, {"query.a"}),
        (Listing, "limit=\u0661\u0662x", {"query.limit"}),
    ],
)
def test_a_query_that_breaks_it_is_a_400_that_names_the_fields(
    schema: Any, text: str, fields: set[str]
) -> None:
    with answering(query, querySchema=schema) as client:
        answer = client.get("/x?" + text)
    assert (answer.status_code, set(answer.json())) == (400, fields)
    assert list(rows()) == []


class Params(BaseModel):
    id: int
    word: str = Field(max_length=3)


class Headers(BaseModel):
    x_api_version: int
    accept_language: str = "en"


def test_all_parts_are_checked_and_all_errors_come_at_once() -> None:
    def handler(request: Any) -> Any:
        assert request.raw.headers["X-Other"] == "kept"
        version, number = request.headers.x_api_version, request.params.id
        return {"body": [version + 1, number + 1, request.headers.accept_language]}

    class Body(BaseModel):
        title: str

    keys = {"paramsSchema": Params, "headers_schema": Headers, "bodySchema": Body}
    with answering(handler, "POST", "/x/:id/:word", **keys) as client:
        given = {"X-Api-Version": "2", "X-Other": "kept", "Accept-Language": "de"}
        answer = client.post("/x/7/abc", {"title": "t"}, "application/json", headers=given)
        assert (answer.status_code, answer.json()) == (200, [3, 8, "de"])
        answer = post(client, {}, "/x/seven/abcd")
    assert answer.status_code == 400
    assert set(answer.json()) == {"params.id", "params.word", "headers.x_api_version", "title"}


def test_a_step_that_is_invoked_by_name_has_a_body_only() -> None:
    with answering(lambda request: {"body": request.body}, querySchema=Listing):
        assert invoke("Work", {"a": 1}).body == {"a": 1}


def test_nobody_asks_who_invokes_a_step_by_name() -> None:
    def handler(request: Any) -> Any:
        is_in = request.user.groups.filter(name="finance").exists()
        return {"body": [request.user.is_authenticated, is_in, request.auth]}

    with answering(handler):
        assert invoke("Work").body == [False, False, None]


class Picture(BaseModel):
    title: str
    tags: list[str] = []
    copies: int = Field(1, strict=True)
    file: Upload


def told(request: Any) -> Any:
    body, file = request.body, request.files["file"]
    return {"body": [body.title, body.tags, body.copies, body.file.read().decode(), file.name]}


def test_a_form_with_a_file_fills_the_model_and_the_history_keeps_no_bytes() -> None:
    file = SimpleUploadedFile("ö.txt", b"hello", "text/plain")
    with answering(told, "POST", bodySchema=Picture) as client:
        answer = client.post("/x", {"title": "t", "tags": "a", "copies": "2", "file": file})
        assert (answer.status_code, answer.json()) == (200, ["t", ["a"], 2, "hello", "ö.txt"])
        refused = client.post("/x", {"title": "t", "file": "no file"})
        in_json = post(client, '{"title": "t", "file": "no file", "copies": 1}')
    for each in (refused, in_json):
        assert each.status_code == 400
        assert each.json() == {"file": ["Input should be a file, uploaded in a form"]}
    [row] = rows()
    kept = {"file": "ö.txt", "size": 5, "contentType": "text/plain"}
    assert row.input["body"] == {"title": "t", "tags": ["a"], "copies": 2, "file": kept}


def test_a_json_schema_takes_a_file_for_text_and_reads_a_form_by_its_types() -> None:
    schema = {
        "type": "object",
        "properties": {
            "count": {"type": "integer"},
            "file": {"type": "string", "format": "binary"},
        },
        "required": ["file"],
    }

    def handler(request: Any) -> Any:
        return {"body": [request.body["count"], request.body["file"].size]}

    with answering(handler, "POST", bodySchema=schema) as client:
        file = SimpleUploadedFile("a", b"123")
        assert client.post("/x", {"count": "5", "file": file}).json() == [5, 3]
        assert client.post("/x", {"count": "five"}).json().keys() == {"count", "file"}


def test_too_large_a_body_is_a_413_before_it_is_read() -> None:
    with answering(echo, "POST", maxBodySize=20) as client:
        assert post(client, '"' + "x" * 18 + '"').status_code == 200
        answer = post(client, '"' + "x" * 19 + '"')
    text = "The body has 21 bytes, and at most 20 are accepted here."
    assert (answer.status_code, answer.json()) == (413, {"detail": text})


def test_too_large_a_body_is_a_413_without_a_length_too() -> None:
    scope = {"type": "http", "method": "POST", "path": "/x", "query_string": b""}
    headers = [(b"content-type", b"application/json"), (b"transfer-encoding", b"chunked")]
    with answering(echo, "POST", maxBodySize=20):
        view = view_for(registry().routes()[0])
        for length, status in ((20, 200), (21, 413)):
            body = BytesIO(b'"' + b"x" * (length - 2) + b'"')
            assert view(ASGIRequest({**scope, "headers": headers}, body)).status_code == status


def test_too_large_a_file_is_a_413_that_names_its_field() -> None:
    with answering(lambda request: None, "POST", maxFileSize=3) as client:
        assert client.post("/x", {"a": SimpleUploadedFile("a", b"123")}).status_code == 204
        files = {"a": SimpleUploadedFile("a", b"123"), "b": SimpleUploadedFile("b", b"1234")}
        answer = client.post("/x", files)
    text = "The file has 4 bytes, and at most 3 are accepted here."
    assert (answer.status_code, answer.json()) == (413, {"b": [text]})


def test_a_webhook_checks_the_signature_of_the_bytes_as_they_were_sent() -> None:
    def handler(request: Any) -> Any:
        expected = hmac.new(b"key", request.raw_body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, request.headers.get("X-Signature", "")):
            return {"status": 401, "body": {"error": "wrong signature"}}
        return {"body": request.body}

    body = b'{"b":  1, "a":\t2.50}'
    signature = hmac.new(b"key", body, hashlib.sha256).hexdigest()
    with answering(handler, "POST", rawBody=True) as client:
        sent: dict[str, Any] = {
            "content_type": "application/json",
            "headers": {"X-Signature": signature},
        }
        assert client.post("/x", body, **sent).json() == {"b": 1, "a": 2.5}
        assert client.post("/x", body + b" ", **sent).status_code == 401


def test_raw_bytes_are_not_kept_unless_asked_for() -> None:
    with answering(lambda request: {"body": [request.raw_body]}, "POST") as client:
        assert post(client, {}).json() == [None]


def test_the_session_is_at_hand() -> None:
    def handler(request: Any) -> Any:
        request.session["visits"] = request.session.get("visits", 0) + 1
        return {"body": request.session["visits"]}

    with answering(handler) as client:
        assert [client.get("/x").json() for _ in range(2)] == [1, 2]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"querySchema": list[int]}, "a schema of an object"),
        ({"querySchema": 5}, "a pydantic model, a type that pydantic can adapt"),
        ({"paramsSchema": {"type": "string"}}, "a schema of an object"),
        ({"querySchema": dict[str, type]}, "a schema that JSON Schema can express"),
        ({"maxBodySize": 0}, "a number of bytes, from 1"),
        ({"maxFileSize": True}, "a number of bytes, from 1"),
        ({"rawBody": "yes"}, "True or False"),
        ({"queryParams": {"a": 1}}, 'a list such as [{"name"'),
        ({"queryParams": [{"name": "a", "odd": 1}]}, 'a list such as [{"name"'),
        ({"queryParams": [{"name": ""}]}, "a string that is not empty"),
    ],
)
def test_what_is_wrong_is_a_problem_of_the_file(keys: Any, expected: str) -> None:
    given = reader(http(**keys))
    read(given)
    [problem] = given.problems
    assert f": expected {expected}" in problem.message


def test_what_a_query_may_hold_can_be_described() -> None:
    described = [{"name": "limit", "description": "How many"}, {"name": "after"}]
    trigger: Any = read(reader(http(queryParams=described)))
    assert trigger.query_params == {"limit": "How many", "after": ""}


# -- what other parsers and prefixes give


class Plain(BaseParser):
    media_type = "text/plain"

    def parse(self, stream: Any, *_: Any, **__: Any) -> Any:
        return stream.read()


def test_a_parser_may_give_bytes_or_a_file_and_the_history_keeps_their_size() -> None:
    def handler(request: Any) -> Any:
        body = request.body
        return {"body": body.decode() if isinstance(body, bytes) else body["file"].size}

    with answering(handler, "POST", parsers=[Plain, FileUploadParser]) as client:
        assert client.post("/x", b"hello", content_type="text/plain").json() == "hello"
        headers = {"Content-Disposition": "attachment; filename=a.png"}
        sent = client.post("/x", b"12345", content_type="image/png", headers=headers)
        assert sent.json() == 5
    plain, file = (row.input["body"] for row in sorted(rows(), key=lambda row: row.id))
    assert plain == "5 bytes"
    assert file["file"]["size"] == 5


@pytest.mark.parametrize("prefix", ["<slug:tenant>/", "<slug:id>/of/<int:more>/"])
def test_a_prefix_may_have_parameters_of_its_own(prefix: str) -> None:
    step = make_step(lambda request: {"body": request.params}, http("GET", "/x/:key"))
    before = "acme" if "tenant" in prefix else "acme/of/7"
    with installed(step), served(prefix) as client:
        assert client.get(f"/{before}/x/1").json() == {"key": "1"}


class Choosing(serializers.Serializer[Any]):
    status = serializers.MultipleChoiceField(choices=["a", "b"], required=False)
    groups = serializers.PrimaryKeyRelatedField(
        many=True, queryset=Group.objects.all(), required=False
    )


def test_one_value_of_many_is_a_list_of_one() -> None:
    group = Group.objects.create(name="g")

    def handler(request: Any) -> Any:
        query = request.query
        return {"body": [sorted(query["status"]), [each.name for each in query["groups"]]]}

    with answering(handler, querySchema=Choosing) as client:
        assert client.get(f"/x?status=a&groups={group.pk}").json() == [["a"], ["g"]]


@pytest.fixture
def forging() -> Client:
    """A client that is logged in and whose forms Django asks for a token."""
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(User.objects.create_user("ada"))
    client.cookies["csrftoken"] = "a" * 32
    return client


def test_the_bytes_are_kept_though_a_token_is_looked_for_in_the_form(forging: Client) -> None:
    def handler(request: Any) -> Any:
        return {"body": b"csrfmiddlewaretoken" in request.raw_body}

    keys: Any = {"rawBody": True, "authentication": SessionAuthentication}
    form = {"csrfmiddlewaretoken": "a" * 32, "f": SimpleUploadedFile("n", b"1")}
    with answering(handler, "POST", **keys):
        answer = forging.post("/x", form)
    assert (answer.status_code, answer.json()) == (200, True)


def test_too_large_a_form_is_refused_before_a_token_is_looked_for_in_it(forging: Client) -> None:
    keys: Any = {"maxBodySize": 100, "authentication": SessionAuthentication}
    with answering(echo, "POST", **keys):
        assert forging.post("/x", {"f": SimpleUploadedFile("n", b"1" * 200)}).status_code == 413
