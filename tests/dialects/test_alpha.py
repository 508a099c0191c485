"""Motia 1.0-alpha: triggers of type api and event, `emits`, and at the root what 0.x had there."""

from __future__ import annotations

import pytest

from motia_django import state, streams
from tests.dialects.firing import all_went_well, sent, ticked
from tests.projects import Project
from tests.web.serving import post, served

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]


def test_an_api_trigger_takes_what_stands_at_the_root(project: Project) -> None:
    project.step(
        "pet_step.py",
        """
        from typing import Optional
        from pydantic import BaseModel

        class Pet(BaseModel):
            name: str
            toy: Optional[str] = None

        config = {
            "name": "PythonApiTrigger",
            "triggers": [{"type": "api", "path": "/pets", "method": "POST"}],
            "method": "POST",
            "path": "/pets",
            "bodySchema": Pet.model_json_schema(),
            "input": Pet.model_json_schema(),
            "responseSchema": {201: Pet.model_json_schema()},
            "emits": ["pet.made"],
            "flows": ["pets"],
        }

        async def handler(req, context):
            body = req.get("body", {})
            await context.emit({"topic": "pet.made", "data": body, "unheard": 1})
            return {"status": 201, "body": {**body, "flows": context.flows,
                                            "by": [context.trigger.type, context.is_api()]}}
        """,
    )
    project.step(
        "made_step.py",
        """
        config = {
            "name": "pet made",
            "triggers": [{"type": "event", "topic": "pet.made",
                          "condition": lambda input, ctx: input["name"] != "nobody"}],
            "input": {"type": "object", "required": ["name"]},
            "infrastructure": {"queue": {"maxRetries": 1}},
            "emits": [],
        }

        async def handler(input_data, context):
            before = await context.state.get("pets", input_data.get("name"))
            changed = await context.state.set("pets", input_data.get("name"), input_data)
            told = [before, changed["new_value"], context.trigger.type]
            await context.state.set("told", "pet", told)
        """,
    )
    steps = project.load()
    assert steps.step("pet made").triggers[0].delivery.max_retries == 1
    with served() as client:
        assert post(client, {}, "/pets").status_code == 400
        answer = post(client, {"name": "Rex"}, "/pets")
        assert post(client, {"name": "nobody"}, "/pets").status_code == 201
    assert answer.json() == {"name": "Rex", "flows": ["pets"], "by": ["api", True]}
    all_went_well()
    assert state.get("told", "pet") == [None, {"name": "Rex"}, "event"]
    assert state.list("pets") == [{"name": "Rex"}]


def test_helpers_and_todays_triggers_go_with_emits(project: Project) -> None:
    project.step(
        "mixed_step.py",
        """
        from typing import Any
        from motia_django import api, cron, queue

        config = {
            "name": "mixed",
            "triggers": [
                api("POST", "/mixed", middleware=[lambda req, ctx, next: next()]),
                queue("mixed.sent", input=None),
                cron("0 0 * * *"),
            ],
            "emits": [{"topic": "mixed.sent", "label": None}],
        }

        async def handler(input: Any, ctx: Any) -> Any:
            async def answer(request):
                await ctx.emit({"topic": "mixed.sent", "data": request.body})
                return {"status": 202, "body": None}

            async def work(data):
                await ctx.state.set("mixed", "data", data)

            async def tick():
                await ctx.state.set("mixed", "cron", ctx.get_data())

            return await ctx.match({"http": answer, "queue": work, "cron": tick})
        """,
    )
    project.load()
    with served() as client:
        assert post(client, {"n": 1}, "/mixed").status_code == 202
    all_went_well()
    ticked("mixed")
    assert state.items("mixed") == [("cron", None), ("data", {"n": 1})]


def test_changes_of_state_and_events_of_streams_start_steps(project: Project) -> None:
    project.stream("parcels_stream.py", 'config = {"name": "parcels"}')
    project.step(
        "watch_step.py",
        """
        from motia_django import StateTriggerInput, StreamTriggerInput

        config = {
            "name": "watch",
            "triggers": [
                {"type": "state", "condition": lambda change, ctx: change.group_id == "parcels"},
                {"type": "stream", "streamName": "parcels", "groupId": "sea"},
                {"type": "event", "topic": "parcel.lost"},
            ],
            "emits": [{"topic": "parcel.told", "label": "Told"}],
        }

        async def handler(input, ctx):
            if ctx.is_event():
                told = [ctx.trigger.type, input]
            elif ctx.is_state():
                told = [input["type"], input.new_value]
            else:
                told = [input.event.type, input.id]
            await ctx.emit({"topic": "parcel.told", "data": told})
        """,
    )
    project.step(
        "told_step.py",
        """
        config = {"name": "told", "triggers": [{"type": "event", "topic": "parcel.told"}],
                  "emits": []}

        async def handler(input, ctx):
            ctx.state.set("told", input[0], input[1])
        """,
    )
    project.load()
    state.set("parcels", "p1", "at sea")
    streams["parcels"].set("sea", "p2", {"at": "sea"})
    streams["parcels"].set("land", "p3", {})
    sent("parcel.lost", "p4")
    all_went_well()
    told = [("create", "p2"), ("event", "p4"), ("state", "at sea")]
    assert state.items("told") == told


def test_what_is_not_awaited_is_done_before_the_run_ends(project: Project) -> None:
    project.step(
        "hasty_step.py",
        """
        config = {"name": "hasty", "triggers": [{"type": "event", "topic": "go"}], "emits": ["go"]}

        async def handler(input, ctx):
            ctx.state.set("hasty", str(input), True)
            if input:
                ctx.emit({"topic": "go", "data": input - 1})
        """,
    )
    project.load()
    sent("go", 2)
    assert [key for key, _ in state.items("hasty")] == ["0", "1", "2"]


def test_a_cron_trigger_gives_a_handler_of_one_argument_the_context(project: Project) -> None:
    project.step(
        "audit_step.py",
        """
        config = {
            "name": "PythonStateAuditJob",
            "triggers": [{"type": "cron", "cron": "*/5 * * * *"}],
            "cron": "*/5 * * * *",
            "emits": ["late"],
        }

        async def handler(context):
            for order in await context.state.get_group("orders_python"):
                context.logger.warn("late", {"order": order})
                await context.emit({"topic": "late", "data": order})
        """,
    )
    project.step(
        "late_step.py",
        """
        config = {"name": "late", "triggers": [{"type": "event", "topic": "late"}], "emits": []}

        async def handler(order, context):
            await context.state.set("late", order["id"], True)
        """,
    )
    project.load()
    state.set("orders_python", "7", {"id": "7"})
    ticked("PythonStateAuditJob")
    assert state.items("late") == [("7", True)]


def test_a_trigger_of_its_own_middleware_and_unread_keys(project: Project) -> None:
    project.step(
        "guarded_step.py",
        """
        async def guard(req, ctx, next_fn):
            if "key" not in req["queryParams"]:
                return {"status": 403, "body": {}}
            return await next_fn()

        config = {
            "name": "guarded",
            "triggers": [
                {"type": "api", "method": "GET", "path": "/a", "middleware": [guard], "note": 1},
                {"type": "api", "method": "GET", "path": "/b"},
            ],
            "emits": [],
            "version": 2,
        }

        async def handler(req, ctx):
            return {"status": 200, "body": ctx.trigger.path}
        """,
    )
    step = project.only_step()
    assert sorted(each.message for each in step.unread) == [
        "config.triggers[0]: unknown key 'note' of a trigger of type http",
        "config: unknown key 'version' of a Step",
    ]
    with served() as client:
        assert client.get("/a").status_code == 403
        assert client.get("/a?key=1").json() == "/a"
        assert client.get("/b").json() == "/b"


def test_a_schema_that_is_no_json_schema_lets_everything_pass(project: Project) -> None:
    project.step(
        "state_step.py",
        """
        config = {
            "name": "Test State With Python",
            "triggers": [{"type": "event", "topic": "test-state"}],
            "emits": ["test-state-check"],
            "input": {"key": {"type": "string"}, "expected": {"type": "string"}},
        }

        async def handler(args, ctx):
            value = {"state": {"with": {"nested": {"value": 1}}}}
            await ctx.state.set(ctx.trace_id, "python_state", value)
            kept = await ctx.state.get(ctx.trace_id, "python_state")
            await ctx.state.set("check", "same", kept == value)
        """,
    )
    project.load()
    sent("test-state", {"key": 5})
    assert state.get("check", "same") is True


def test_a_handler_that_is_annotated_gets_a_request(project: Project) -> None:
    project.step(
        "order_step.py",
        """
        from typing import Any
        from motia_django import ApiRequest, ApiResponse, FlowContext, Stream, api

        order_stream: Stream[dict[str, Any]] = Stream[dict]("orders")

        config = {
            "name": "CreateOrder",
            "flows": ["otel-example"],
            "triggers": [api("POST", "/orders")],
            "emits": ["order.created"],
        }

        async def handler(request: ApiRequest[dict[str, Any]], ctx: FlowContext[Any]) -> Any:
            body = request.body or {}
            if not isinstance(request, ApiRequest) or not body.get("amount"):
                return ApiResponse(status=400, body={"error": "amount is required"})
            order = {"id": "o1", "amount": body["amount"], "trace_id": ctx.trace_id}
            await order_stream.set("pending", "o1", order)
            await ctx.emit({"topic": "order.created", "data": order})
            return ApiResponse(status=201, body=[ctx.traceId == ctx.trace_id, request.path_params])
        """,
    )
    project.stream("orders_stream.py", 'config = {"name": "orders"}')
    project.load()
    with served() as client:
        assert client.post("/orders").status_code == 400
        answer = post(client, {"amount": 5}, "/orders")
    assert (answer.status_code, answer.json()) == (201, [True, {}])


@pytest.mark.parametrize("annotation", ["", ": MotiaHttpArgs[Any]"])
def test_a_channel_goes_with_emits(project: Project, annotation: str) -> None:
    project.step(
        "echo_step.py",
        f"""
        from typing import Any
        from motia_django import MotiaHttpArgs, http

        config = {{"name": "Echo", "triggers": [http("POST", "/echo")], "emits": ["echoed"]}}

        async def handler(args{annotation}, ctx: Any) -> None:
            chunks = [chunk async for chunk in args.request.request_body.stream]
            await args.response.status(201)
            await args.response.headers({{"content-type": "text/plain"}})
            args.response.writer.stream.write(b"".join(chunks))
            await ctx.enqueue({{"topic": "echoed", "data": 1}})
            args.response.close()
        """,
    )
    project.load()
    with served() as client:
        answer = post(client, {"a": 1}, "/echo")
        assert (answer.status_code, answer.getvalue()) == (201, b'{"a": 1}')
