"""Habits of files from between the dialects, and of the first versions of Motia."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from motia_django import dispatch, state, streams
from tests.dialects.firing import all_went_well, sent, ticked
from tests.factories import row
from tests.projects import Project
from tests.web.serving import post, served

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]


def test_todays_words_go_with_emit(project: Project) -> None:
    project.step(
        "moved_step.py",
        """
        from motia_django import FlowContext, StateTriggerInput, state

        config = {
            "name": "parcel moved",
            "triggers": [state(condition=lambda input, ctx: input.group_id == "parcels")],
            "enqueues": ["parcel.moved"],
        }

        async def handler(input: StateTriggerInput, ctx: FlowContext) -> None:
            data = {"id": input.item_id, "is": [ctx.is_event(), ctx["emit"] is not None]}
            await ctx.emit({"topic": "parcel.moved", "data": data})
        """,
    )
    project.step(
        "told_step.py",
        """
        from motia_django import queue

        config = {"name": "told", "triggers": [queue("parcel.moved")], "enqueues": []}

        def handler(input, ctx):
            ctx.state.set("told", input["id"], [input["is"], ctx.is_event()])
            ctx.emit({"topic": "nobody.hears", "data": 1})
        """,
    )
    project.load()
    state.set("parcels", "p1", {"at": "sea"})
    all_went_well()
    assert state.get("told", "p1") == [[False, True], True]


@pytest.mark.parametrize("where", ["in its helper", "in its trigger", "at the root"])
def test_a_queue_trigger_has_infrastructure_for_its_config(project: Project, where: str) -> None:
    asked = '{"handler": {"timeout": 40}, "queue": {"maxRetries": 7}}'
    trigger = {
        "in its helper": f'queue("t", infrastructure={asked})',
        "in its trigger": f'{{"type": "queue", "topic": "t", "infrastructure": {asked}}}',
        "at the root": 'queue("t")',
    }[where]
    root = f', "infrastructure": {asked}' if where == "at the root" else ""
    project.step(
        "x_step.py",
        f"""
        from motia_django import queue

        config = {{"name": "x", "triggers": [{trigger}], "enqueues": []{root}}}

        async def handler(input, ctx):
            await ctx.enqueue({{"topic": "done", "data": input}})
        """,
    )
    delivery = project.only_step().triggers[0].delivery
    assert (delivery.max_retries, delivery.visibility_timeout) == (7, 40)
    sent("t", {"n": 1})


@pytest.mark.parametrize("key", ["includeFiles", "include_files"])
def test_todays_words_go_with_files_to_deploy(project: Project, key: str) -> None:
    project.step(
        "x_step.py",
        f"""
        from motia_django import queue, step

        config = {{"name": "x", "triggers": [queue("x")], "{key}": ["../../lib/engine"]}}

        async def handler(input, ctx):
            await ctx.state.set("x", "x", input)
        """,
    )
    step = project.only_step()
    assert step.unread == ()
    sent("x", 1)
    assert state.get("x", "x") == 1


def test_a_branch_of_match_for_a_schedule_is_given_the_context(project: Project) -> None:
    project.step(
        "summary_step.py",
        """
        from motia_django import FlowContext, api, cron

        config = {"name": "Sum", "triggers": [api("GET", "/sum"), cron("0 * * * * *")], "emits": []}

        async def asked(request, ctx: FlowContext):
            return {"status": 200, "body": ctx.trigger.path}

        async def due(ctx: FlowContext):
            await ctx.state.set("sum", "at", ctx.trigger.expression)

        async def handler(input, ctx: FlowContext):
            return await ctx.match({"http": asked, "cron": due})
        """,
    )
    project.load()
    with served() as client:
        assert client.get("/sum").json() == "/sum"
    run_id = dispatch.tick("Sum", 1, datetime(2030, 1, 1, tzinfo=UTC))
    assert run_id is not None
    all_went_well()
    assert row(run_id).status == "succeeded"
    assert state.get("sum", "at") == "0 * * * * *"


@pytest.mark.parametrize("parameters", ["ctx, logger=None", "ctx=None, logger=None", "*given"])
def test_a_schedule_gives_the_context_first_whatever_else_could_be_taken(
    project: Project, parameters: str
) -> None:
    project.step(
        "feed_step.py",
        f"""
        config = {{"type": "cron", "name": "Feed", "cron": "30 2 * * *", "emits": []}}

        async def handler({parameters}):
            [ctx, *others] = {"given" if "*" in parameters else "[ctx, logger]"}
            ctx.get("logger").info("Feeding", {{"others": others}})
            await ctx.state.set("fed", "others", [each for each in others if each is not None])
        """,
    )
    project.load()
    ticked("Feed")
    assert state.get("fed", "others") == []


def test_all_of_a_request_is_attributes_too(project: Project) -> None:
    project.step(
        "ask_step.py",
        """
        config = {"type": "api", "name": "ask", "path": "/ask/:id", "method": "POST", "emits": []}

        async def handler(req, context):
            req.body["seen"] = True
            told = [req.body.message.text, req.pathParams.id, req.queryParams.dry, req.body.seen]
            return {"status": 200, "body": {"told": told, "body": req.get("body")}}
        """,
    )
    project.load()
    body = {"message": {"text": "Hi"}}
    with served() as client:
        answer = post(client, body, "/ask/5?dry=no").json()
    assert answer == {"told": ["Hi", "5", "no", True], "body": {**body, "seen": True}}


def test_a_header_that_middleware_sets_is_found_whatever_its_case(project: Project) -> None:
    project.step(
        "seen_step.py",
        """
        async def marked(data, ctx, next_fn):
            data["headers"]["X-Seen-By"] = "middleware"
            data["body"]["at"] = 5
            response = await next_fn()
            response["headers"] = {**response.get("headers", {}), "X-Powered-By": "us"}
            return response

        config = {"type": "api", "name": "seen", "path": "/seen", "method": "POST", "emits": [],
                  "middleware": [marked]}

        async def handler(req, context):
            return {"status": 200, "body": [req["headers"]["x-seen-by"], req.body.at]}
        """,
    )
    project.load()
    with served() as client:
        answer = post(client, {}, "/seen")
    assert answer.json() == ["middleware", 5]
    assert answer.headers["X-Powered-By"] == "us"


def test_a_message_of_the_first_versions_has_a_type_for_its_topic(project: Project) -> None:
    project.step(
        "x_step.py",
        """
        config = {"type": "event", "name": "x", "subscribes": ["x"], "emits": ["y"]}

        async def handler(args, ctx):
            await ctx.emit({"type": "y", "data": {"n": args.n}})
            await ctx.emit({"topic": "y", "type": "z", "data": {"n": args.n + 1}})
        """,
    )
    project.step(
        "y_step.py",
        """
        config = {"type": "event", "name": "y", "subscribes": ["y"], "emits": []}

        async def handler(args, ctx):
            await ctx.state.set("heard", args.n, True)
        """,
    )
    project.load()
    sent("x", {"n": 1})
    assert [key for key, _ in state.items("heard")] == ["1", "2"]


def test_an_item_of_a_stream_is_found_under_data_as_well(project: Project) -> None:
    project.stream("search_stream.py", 'config = {"name": "search", "schema": {"type": "object"}}')
    project.step(
        "merge_step.py",
        """
        config = {"type": "event", "name": "merge", "subscribes": ["merge"], "emits": []}

        async def handler(input, context):
            search = context.streams.search
            assert await search.get("all", "none") is None
            await search.set("all", "s1", {"total": 1})
            found = await search.get("all", "s1")
            same = [found["data"]["total"], found.get("data", found)["total"], "data" in found]
            found["data"]["same"] = same
            await search.set("all", "s1", found)
        """,
    )
    project.load()
    sent("merge")
    assert streams["search"].get("all", "s1") == {"id": "s1", "total": 1, "same": [1, 1, True]}


def test_a_file_that_registers_itself_is_found_anyhow(project: Project) -> None:
    project.stream(
        "greeting_stream.py",
        """
        from motia_django import StreamConfig, stream_wrapper

        config = StreamConfig(name="greeting", schema=None, base_config={"storage_type": "default"})

        stream_wrapper(config, __file__)
        """,
    )
    project.step(
        "greet_step.py",
        """
        from typing import Any
        from motia_django import (
            ApiRequest, ApiResponse, ApiRouteConfig, FlowContext, Stream, step_wrapper
        )

        greetings: Stream[dict[str, Any]] = Stream("greeting")
        config = ApiRouteConfig(type="api", name="Greet", method="POST", path="/greet",
                                emits=["greeted"], flows=["greetings"])

        async def handler(req: ApiRequest[dict[str, Any]], ctx: FlowContext[Any]) -> ApiResponse:
            name = (req.body or {}).get("name", req.query_params.get("name"))
            await greetings.set("all", name, {"name": name})
            await ctx.emit({"topic": "greeted", "data": {"name": name}})
            return ApiResponse(status=201, body={"hello": name})

        step_wrapper(config, __file__, handler)
        """,
    )
    project.step(
        "greeted_step.py",
        """
        from motia_django import EventConfig, FlowContext, step_wrapper

        config = EventConfig(type="event", name="greeted", subscribes=["greeted"], emits=[])

        async def handler(data: dict, ctx: FlowContext) -> None:
            await ctx.state.set("greeted", data["name"], True)

        step_wrapper(config, __file__, handler)
        """,
    )
    project.load()
    with served() as client:
        assert client.post("/greet?name=Eva").json() == {"hello": "Eva"}
        assert post(client, {"name": "Ida"}, "/greet").status_code == 201
    all_went_well()
    assert [key for key, _ in state.items("greeted")] == ["Eva", "Ida"]
    assert streams["greeting"].get("all", "Eva") == {"id": "Eva", "name": "Eva"}
