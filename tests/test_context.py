"""What an `async def` handler calls of its context and does not await."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction

from motia_django import enqueue, state
from motia_django.exceptions import InvalidMessage
from motia_django.live.face import Stream
from motia_django.runs import Status
from tests.factories import deliver, installed, make_step, make_stream, nothing, row, rows
from tests.web.serving import http, post, serving

pytestmark = pytest.mark.django_db


NAMES = ("ctx.enqueue", "ctx.state.get", "ctx.streams.s.get", "ctx.invoke")


def hearing() -> Any:
    return make_step(nothing, {"type": "queue", "topic": "heard"}, name="Hear")


async def forgetful(input: Any, ctx: Any) -> Any:
    ctx.enqueue("heard", {"of": 17})
    ctx.state.set("g", "k", 1)
    ctx.streams.s.set("g", "k", {"n": 1})
    ctx.invoke("Hear", "invoked")
    return {"body": await ctx.state.get("g", "k")}


def test_it_is_done_in_its_order_before_the_run_of_a_message_ends() -> None:
    step = make_step(forgetful, enqueues=["heard"])
    with installed(step, hearing(), streams=[make_stream("s")]):
        [run_id] = enqueue("work")
        deliver([run_id])
        assert Stream("s").get("g", "k") == {"n": 1, "id": "k"}
    assert (row(run_id).status, row(run_id).output) == (Status.SUCCEEDED, {"body": 1})
    assert [each.input for each in rows(step="Hear")] == [{"of": 17}, "invoked"]
    assert [each["kind"] for each in row(run_id).timeline][:2] == ["enqueue", "state"]


def test_it_is_done_before_a_request_is_answered() -> None:
    step = make_step(forgetful, http("POST", "/forget"), enqueues=["heard"])
    with serving(step, hearing()) as client:
        with installed(step, hearing(), streams=[make_stream("s")]):
            assert post(client, {}, "/forget").json() == 1
    assert len(rows(step="Hear")) == 2


def test_it_is_done_before_the_next_part_of_an_answer() -> None:
    async def handler(request: Any, ctx: Any) -> Any:
        ctx.state.set("g", "k", 1)
        yield "a"
        yield str(await ctx.state.get("g", "k"))
        ctx.enqueue("heard", "at the end")

    step = make_step(handler, http("POST", "/parts"), enqueues=["heard"])
    with serving(step, hearing()) as client:
        assert b"".join(post(client, {}, "/parts")) == b"a1"
    assert state.get("g", "k") == 1
    assert [each.input for each in rows(step="Hear")] == ["at the end"]


def test_what_it_raises_fails_the_run() -> None:
    async def handler(input: Any, ctx: Any) -> None:
        ctx.enqueue(topic=17)

    with installed(make_step(handler)):
        [run_id] = enqueue("work")
        deliver([run_id])
    assert row(run_id).status == Status.SCHEDULED
    assert InvalidMessage.__name__ in row(run_id).error


@pytest.mark.parametrize("name", NAMES)
def test_its_result_cannot_be_used_and_the_error_names_the_call(name: str) -> None:
    async def handler(input: Any, ctx: Any) -> None:
        if name == "ctx.enqueue":
            ctx.enqueue("work")[0]
        elif name == "ctx.invoke":
            ctx.invoke("Hear")["a"]
        else:
            place = ctx.state if "state" in name else ctx.streams.s
            place.get("g", "k")["a"]

    with installed(make_step(handler), hearing(), streams=[make_stream("s")]):
        [run_id] = enqueue("work")
        deliver([run_id])
    told = name.replace("streams.s", "streams")
    assert f"the result of {told} is to be awaited: write await" in row(run_id).error


def test_what_is_read_and_not_awaited_fails_the_run_though_it_is_none_to_nobody() -> None:
    async def handler(input: Any, ctx: Any) -> str:
        return "charge" if ctx.state.get("paid", "1") is None else "was charged"

    with installed(make_step(handler)):
        [run_id] = enqueue("work")
        deliver([run_id])
    assert row(run_id).status == Status.SCHEDULED
    assert "the result of ctx.state.get is to be awaited: write await" in row(run_id).error


def test_what_is_awaited_is_as_it_was() -> None:
    found: list[Any] = []

    async def handler(input: Any, ctx: Any) -> None:
        found.append(await ctx.state.set("g", "a", 1))
        task = asyncio.create_task(ctx.state.get("g", "a"))
        found.append(await asyncio.gather(task, ctx.state.get("g", "b")))
        found.append(await asyncio.wait_for(ctx.enqueue("heard"), 10))
        found.append(iscoroutinefunction(ctx.enqueue))
        try:
            await ctx.enqueue(topic=17)
        except InvalidMessage:
            found.append("caught")

    with installed(make_step(handler, enqueues=["heard"]), hearing()):
        [run_id] = enqueue("work")
        deliver([run_id])
    assert row(run_id).status == Status.SUCCEEDED
    [heard] = rows(step="Hear")
    assert found[0]["new_value"] == 1
    assert found[1:] == [[1, None], [str(heard.id)], True, "caught"]
