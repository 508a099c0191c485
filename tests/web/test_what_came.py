"""The history tells what came with a request, whatever its handler does to what it was given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from pydantic import BaseModel
from rest_framework import serializers
from rest_framework.parsers import JSONParser

from motia_django import invoke, ledger
from motia_django.payloads import MASK
from motia_django.runs import Run, Unread
from motia_django.signals import run_finished
from tests.factories import installed, listening, make_step, rows
from tests.web.serving import http, post, serving

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

SENT = {"id": "web", "lines": [{"sku": "A1"}], "note": {"text": "hi"}}
ANY_OBJECT = {"type": "object"}


class Order(BaseModel):
    id: str
    lines: list[dict[str, Any]]
    note: Any


class OrderSerializer(serializers.Serializer[Any]):
    id = serializers.CharField()
    lines = serializers.JSONField()
    note = serializers.JSONField()


class Plainly(JSONParser):
    """REST framework's parser under another name: to it all is left."""


def spoil(body: Any) -> Any:
    """Change what a handler was given, as deep as it goes."""
    given = body.__dict__ if isinstance(body, BaseModel) else body
    given["seen"] = given.pop("id")
    given["lines"][0]["sku"] = "B2"
    given["lines"].append("more")
    given["note"].clear()
    return {"body": "done"}


def of_body(request: Any) -> Any:
    return spoil(request.body)


async def of_body_later(request: Any) -> Any:
    return spoil(request.body)


def of_data(request: Any, ctx: Any) -> Any:
    return spoil(ctx.get_data())


def another_body(request: Any) -> Any:
    spoil(request.body)
    request.body = request.query = request.params = {"of": "the handler"}
    request.method, request.path = "PUT", "/y"
    return {"body": "done"}


def watching(request: Any, ctx: Any) -> bool:
    spoil(request.body)
    return True


def failing(request: Any) -> Any:
    spoil(request.body)
    raise ValueError("too bad")


def failing_call(input: Any) -> Any:
    spoil(input)
    raise ValueError("too bad")


def part_by_part(request: Any) -> Iterator[str]:
    yield "first"
    spoil(request.body)


def failing_part_by_part(request: Any) -> Iterator[str]:
    yield "first"
    spoil(request.body)
    raise ValueError("too bad")


async def by_a_channel(args: Any) -> None:
    await args.response.status(201)
    await args.response.writer.stream.write(b"done")
    spoil(args.request.body)


def kept(handler: Any, config: dict[str, Any] | None = None, **trigger: Any) -> Any:
    """Return what the history has of the body sent to a Step; it has its keys too."""
    trigger = {"permissions": [], "authentication": [], **trigger}
    step = make_step(handler, http("POST", **trigger), **{"index": ["id"], **(config or {})})
    with serving(step) as client:
        response = post(client, SENT)
        with suppress(ValueError):
            b"".join(response)
    [row] = rows()
    assert ledger.keys_of_runs([row.id]) == {row.id: ["id=web"]}
    return row.input["body"]


@pytest.mark.parametrize(
    "handler",
    [of_body, of_body_later, of_data, another_body, failing, part_by_part, by_a_channel],
)
@pytest.mark.parametrize("schema", [None, ANY_OBJECT, Order, OrderSerializer])
def test_a_body_is_kept_as_it_came(handler: Any, schema: Any) -> None:
    assert kept(handler, **({"bodySchema": schema} if schema else {})) == SENT


@pytest.mark.parametrize("handler", [of_body, failing])
@pytest.mark.parametrize("parsers", [[JSONParser], [Plainly]])
def test_so_is_that_of_an_atomic_step(handler: Any, parsers: Any) -> None:
    assert kept(handler, {"atomic": True}, parsers=parsers) == SENT


@pytest.mark.parametrize("handler", [failing, failing_part_by_part])
@pytest.mark.parametrize("parsers", [[JSONParser], [Plainly]])
def test_so_is_that_of_a_failure_where_only_those_are_kept(handler: Any, parsers: Any) -> None:
    assert kept(handler, {"record": "failures"}, parsers=parsers) == SENT


def test_a_body_that_rest_framework_parses_is_kept_as_it_came() -> None:
    assert kept(of_body, parsers=[Plainly]) == SENT


def test_what_else_is_called_before_the_end_changes_nothing_of_it() -> None:
    def before(request: Any, ctx: Any, next: Any) -> Any:
        request.body["lines"].append("by middleware")
        return next()

    assert kept(of_body, condition=watching, middleware=[before]) == SENT


def test_a_path_and_a_query_are_kept_as_they_came() -> None:
    def version(request: Any) -> str:
        request.query["many"].append("3")
        return "1"

    def handler(request: Any) -> Any:
        request.params["of"] = request.params.pop("id")
        request.query.clear()
        return {"body": "done"}

    with serving(make_step(handler, http(path="/x/:id", etag=version), index=["id"])) as client:
        assert client.get("/x/7?many=1&many=2&one=1").status_code == 200
    [row] = rows()
    assert row.input["params"] == {"id": "7"}
    assert row.input["query"] == {"many": ["1", "2"], "one": "1"}
    assert ledger.keys_of_runs([row.id]) == {row.id: ["id=7"]}


def test_a_secret_in_a_path_is_masked_there_as_in_the_parameters() -> None:
    step = make_step(lambda request: {"body": request.params["token"]}, http(path="/x/:id/:token"))
    with serving(step) as client:
        assert client.get("/x/7/hush").json() == "hush"
    [row] = rows()
    assert row.input["path"] == f"/x/7/{MASK}"
    assert row.input["params"] == {"id": "7", "token": MASK}


@pytest.mark.parametrize("record", ["all", "failures"])
def test_a_form_and_its_files_are_kept_as_they_came(record: str) -> None:
    def handler(request: Any) -> Any:
        request.body["id"], request.body["many"][0] = "other", "0"
        request.body.pop("file").name = "other.txt"
        raise ValueError("too bad")

    sent = {"id": "web", "many": ["1", "2"], "file": SimpleUploadedFile("a.txt", b"12")}
    with serving(make_step(handler, http("POST"), record=record)) as client:
        client.post("/x", sent)
    [row] = rows()
    file = {"file": "a.txt", "size": 2, "contentType": "text/plain"}
    assert row.input["body"] == {"id": "web", "many": ["1", "2"], "file": file}


def test_no_body_is_none_whatever_a_handler_makes_of_it() -> None:
    def handler(request: Any) -> Any:
        request.body["id"] = "made up"
        return {"body": "done"}

    with serving(make_step(handler, http("POST", bodySchema=ANY_OBJECT), index=["id"])) as client:
        assert client.post("/x").status_code == 200
    [row] = rows()
    assert (row.input["body"], ledger.keys_of_runs([row.id])) == ({}, {})


@pytest.mark.parametrize("handler", [spoil, failing_call])
@pytest.mark.parametrize("trigger", [{"type": "queue", "topic": "work"}, http("POST")])
def test_an_invocation_is_kept_as_it_was_asked_for(handler: Any, trigger: Any) -> None:
    def called(given: Any) -> Any:
        return handler(given.body if trigger["type"] == "http" else given)

    with installed(make_step(called, trigger, index=["id"])):
        with suppress(ValueError):
            invoke("Work", SENT)
    [row] = rows()
    assert row.input == SENT
    assert ledger.keys_of_runs([row.id]) == {row.id: ["id=web"]}


def test_a_run_is_found_and_erased_by_what_came() -> None:
    kept(of_body)
    call_command("motia_steps", "prune", "--key", "id=web", "--yes")
    assert not rows()


def test_a_body_is_read_again_behind_the_answer_and_by_receivers_that_ask_for_it() -> None:
    held, seen = [], []

    def finished(run: Run, **kwargs: Any) -> None:
        held.append(run._input if isinstance(run, Unread) else None)
        seen.append(run.input["body"])

    with listening(run_finished, finished):
        assert kept(of_body) == SENT
    assert callable(held[0])
    assert seen == [SENT]
