"""Middleware of http triggers, around handlers that answer real requests."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from rest_framework.exceptions import NotFound

from motia_django import Response, http, invoke
from motia_django.runs import Status
from tests.declared import good, wrong
from tests.factories import installed, make_step, rows
from tests.web.reading import Reading
from tests.web.serving import answering, post

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

Told = list[str]


def both(name: str, told: Told) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return a plain and an async middleware that tell when they are passed, in and out."""

    def plain(request: Any, ctx: Any, next: Any) -> Any:
        told.append(f"{name} in")
        setattr(ctx, name, True)
        answer = next()
        told.append(f"{name} out {answer.status}")
        return answer

    async def asynchronous(request: Any, ctx: Any, next: Any) -> Any:
        told.append(f"{name} in")
        await asyncio.sleep(0)
        setattr(ctx, name, True)
        answer = await next()
        told.append(f"{name} out {answer.status}")
        return answer

    return plain, asynchronous


def handlers(told: Told) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return a plain and an async handler that tell what reached their context."""

    def plain(request: Any, ctx: Any) -> Any:
        told.append(f"handler {ctx.outer} {ctx.inner}")
        return {"status": 201, "body": ctx.state.set("g", "k", 1)}

    async def asynchronous(request: Any, ctx: Any) -> Any:
        told.append(f"handler {ctx.outer} {ctx.inner}")
        return {"status": 201, "body": await ctx.state.set("g", "k", 1)}

    return plain, asynchronous


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("server", ["wsgi", "asgi"])
@pytest.mark.parametrize("outer", [0, 1], ids=["plain", "async"])
@pytest.mark.parametrize("inner", [0, 1], ids=["plain", "async"])
@pytest.mark.parametrize("handler", [0, 1], ids=["plain", "async"])
def test_it_is_passed_in_order_whatever_is_plain_and_whatever_async(
    server: str, outer: int, inner: int, handler: int
) -> None:
    told: Told = []
    middleware = [both("outer", told)[outer], both("inner", told)[inner]]
    with answering(handlers(told)[handler], middleware=middleware):
        reading = Reading(server)
        assert reading.response.status_code == 201
        reading.close()
    assert told == [
        "outer in",
        "inner in",
        "handler True True",
        "inner out 201",
        "outer out 201",
    ]


def counts(request: Any, ctx: Any, next: Any) -> Any:
    """Let the request pass: stands behind a dotted path."""
    ctx.logger.info("Passed")
    ctx.state.set("g", "passed", True)
    return next()


def test_a_dotted_path_is_one_and_what_it_does_is_the_runs() -> None:
    with answering(lambda: {"body": 1}, middleware=[f"{__name__}.counts"]) as client:
        assert client.get("/x").json() == 1
    assert [entry["kind"] for entry in rows()[0].timeline] == ["log", "state"]


@pytest.mark.parametrize("is_async", [False, True])
def test_an_answer_without_next_spares_the_handler_and_is_checked(is_async: bool) -> None:
    def plain(request: Any, ctx: Any, next: Any) -> Any:
        return {"status": 401, "body": request.body, "headers": {"X-A": "b"}}

    async def asynchronous(request: Any, ctx: Any, next: Any) -> Any:
        return Response(request.body, status=401, headers={"X-A": "b"})

    called: list[bool] = []
    keys: dict[str, Any] = {
        "middleware": [asynchronous if is_async else plain],
        "responseSchema": {401: dict},
    }
    with answering(lambda: called.append(True), "POST", **keys) as client:
        answer = post(client, {"a": 1})
        assert (answer.status_code, answer.json(), answer["X-A"]) == (401, {"a": 1}, "b")
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("django.conf.settings.DEBUG", True)
            assert post(client, [1]).status_code == 500
    assert called == []
    assert [run.status for run in rows()] == [Status.SUCCEEDED, Status.DEAD]


def test_another_request_may_be_handed_on_and_attributes_reach_the_handler() -> None:
    def marks(request: Any, ctx: Any, next: Any) -> Any:
        request.shop = "north"
        ctx.customer = {"id": 7}
        return next()

    def changes(request: Any, ctx: Any, next: Any) -> Any:
        other = replace(request, body={"changed": request.body})
        other.shop = request.shop
        return next(other)

    def handler(request: Any, ctx: Any) -> Any:
        return {"body": [request.body, request.shop, ctx.customer, ctx.get_data()]}

    with answering(handler, "POST", middleware=[marks, changes]) as client:
        changed = {"changed": {"a": 1}}
        assert post(client, {"a": 1}).json() == [changed, "north", {"id": 7}, changed]


def test_the_answer_may_be_changed_or_replaced_on_its_way_out() -> None:
    def heads(request: Any, ctx: Any, next: Any) -> Any:
        answer = next()
        answer.headers["X-Took"] = "1"
        return answer

    def wraps(request: Any, ctx: Any, next: Any) -> Any:
        answer = next()
        return replace(answer, body={"data": answer.body})

    with answering(lambda: {"body": [1]}, middleware=[heads, wraps]) as client:
        answer = client.get("/x")
    assert (answer.json(), answer["X-Took"]) == ({"data": [1]}, "1")
    assert rows()[0].output == {"status": 200, "headers": {"X-Took": "1"}, "body": {"data": [1]}}


@pytest.mark.parametrize("is_async", [False, True])
def test_exceptions_pass_through_and_may_be_caught(is_async: bool) -> None:
    def plain(request: Any, ctx: Any, next: Any) -> Any:
        try:
            return next()
        except KeyError as error:
            return {"status": 404, "body": str(error)}

    async def asynchronous(request: Any, ctx: Any, next: Any) -> Any:
        try:
            return await next()
        except KeyError as error:
            return {"status": 404, "body": str(error)}

    async def handler(request: Any) -> Any:
        errors = {"k": KeyError("k"), "v": ValueError("v"), "n": NotFound()}
        raise errors[request.query["e"]]

    with answering(handler, middleware=[asynchronous if is_async else plain]) as client:
        assert client.get("/x?e=k").json() == "'k'"
        assert [client.get(f"/x?e={each}").status_code for each in "vn"] == [500, 404]
    statuses = [run.status for run in rows()]
    assert statuses == [Status.SUCCEEDED, Status.DEAD, Status.SUCCEEDED]
    assert "raise errors" in rows()[1].error


@pytest.mark.parametrize("is_async", [False, True])
def test_next_is_called_once(is_async: bool) -> None:
    called: list[bool] = []

    def plain(request: Any, ctx: Any, next: Any) -> Any:
        next()
        return next()

    async def asynchronous(request: Any, ctx: Any, next: Any) -> Any:
        await next()
        return await next()

    middleware = asynchronous if is_async else plain
    with answering(lambda: called.append(True), middleware=[middleware]) as client:
        assert client.get("/x").status_code == 500
    assert called == [True]
    assert f"{middleware.__qualname__}: next was called twice" in rows()[0].error


def test_a_forgotten_return_is_an_error_and_not_an_empty_answer() -> None:
    def forgets(request: Any, ctx: Any, next: Any) -> Any:
        next()

    with answering(lambda: {"body": 1}, middleware=[forgets]) as client:
        assert client.get("/x").status_code == 500
    assert "called next() and returned nothing; return what next() gives" in rows()[0].error


def test_it_stands_after_the_check_of_the_input_and_the_condition() -> None:
    passed: list[Any] = []

    def notes(request: Any, ctx: Any, next: Any) -> Any:
        passed.append(request.body)
        return next()

    keys: dict[str, Any] = {
        "middleware": [notes],
        "bodySchema": dict[str, int],
        "condition": lambda request: request.body != {"a": 0},
    }
    with answering(lambda: None, "POST", **keys) as client:
        bodies: list[Any] = [[], {"a": 0}, {"a": 1}]
        answers = [post(client, body).status_code for body in bodies]
    assert (answers, passed) == ([400, 422, 204], [{"a": 1}])


def test_it_stands_in_the_requests_transaction_and_thread() -> None:
    seen: list[Any] = []

    async def asynchronous(request: Any, ctx: Any, next: Any) -> Any:
        await Group.objects.acreate(name="a")
        return await next()

    def plain(request: Any, ctx: Any, next: Any) -> Any:
        seen.append((threading.get_ident(), connection.in_atomic_block, Group.objects.count()))
        return next()

    with answering(lambda: None, middleware=[asynchronous, plain]) as client:
        client.get("/x")
    assert seen == [(threading.get_ident(), True, 1)]


def test_what_is_streamed_passes_and_may_be_changed_too() -> None:
    def handler() -> Iterator[str]:
        yield "a"
        yield "b"

    def shouts(request: Any, ctx: Any, next: Any) -> Any:
        answer = next()
        return replace(answer, body=(part.upper() for part in answer.body))

    with answering(handler, middleware=[shouts]) as client:
        assert b"".join(client.get("/x")) == b"AB"


def test_a_step_that_is_invoked_by_name_has_none() -> None:
    def refuses(request: Any, ctx: Any, next: Any) -> Any:
        return {"status": 401}

    with installed(make_step(lambda: {"body": 1}, http("GET", "/x", middleware=[refuses]))):
        assert invoke("Work").body == 1


def test_the_context_knows_who_asks() -> None:
    def handler(request: Any, ctx: Any) -> Any:
        return {"body": [ctx.user.username, ctx.user == request.user]}

    with answering(handler) as client:
        assert client.get("/x").json() == ["", True]
        client.force_login(User.objects.create_user("ada"))
        assert client.get("/x").json() == ["ada", True]
    with installed(make_step(lambda input, ctx: ctx.user)):
        assert invoke("Work", {"user": "eve"}) is None


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("x.y", "a list of functions"),
        (counts, "a list of functions"),
        ([5], "functions of (req, ctx, next) (5"),
        ([lambda request, ctx: None], "too many positional arguments"),
        ([lambda request, ctx, next, more: None], "missing a required argument: 'more'"),
        (["no.such.module"], "No module named 'no'"),
        ([f"{__name__}.nothing"], "does not define"),
        ([f"{__name__}.Told"], "functions of (req, ctx, next)"),
        ([lambda request, ctx, next: (yield)], "has a yield in it"),
    ],
)
def test_what_is_no_middleware_is_a_problem(value: Any, says: str) -> None:
    text = wrong({"type": "http", "path": "/x", "middleware": value})
    assert "config.middleware: expected" in text
    assert says in text


def test_callables_of_every_kind_are_middleware() -> None:
    class Callable:
        def __call__(self, request: Any, ctx: Any, next: Any) -> Any:
            return next()

    declared = http("GET", "/x", middleware=(Callable(), lambda *all: None, f"{__name__}.counts"))
    assert len(good(declared).middleware) == 3
