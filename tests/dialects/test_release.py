"""Motia 1.0: handlers of one argument, what is imported from the module, answers by a channel."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from motia_django import calls, state, streams
from tests.dialects.firing import all_went_well, sent, ticked
from tests.projects import Project
from tests.web.serving import post, served

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

TODO_STREAM = """
    from motia_django import StreamConfig

    config = StreamConfig(name="todo", baseConfig={"storageType": "default"})
"""

UPDATE_TODO = '''
    """Update Todo Step."""

    from typing import Any

    from motia_django import ApiRequest, ApiResponse, Stream, http, logger

    todo_stream: Stream[dict[str, Any]] = Stream("todo")

    config = {
        "name": "UpdateTodo",
        "description": "Update an existing todo item",
        "flows": ["todo-app"],
        "triggers": [http("PUT", "/todo")],
        "enqueues": [],
    }


    async def handler(request: ApiRequest[dict[str, Any]]) -> ApiResponse[Any]:
        body = request.body or {}
        todo_id = body.get("todo_id")
        logger.info("Updating todo", body)
        if not todo_id:
            return ApiResponse(status=400, body={"error": "todo_id is required"})
        existing = await todo_stream.get("inbox", todo_id)
        if not existing:
            return ApiResponse(status=404, body={"error": "Todo not found"})
        await logger.info("awaited too")
        todo = await todo_stream.set("inbox", item_id=todo_id, data={**existing, **body})
        return ApiResponse(status=200, body=todo, headers={"X-Group": "inbox"})
'''


def test_a_handler_of_one_argument_awaits_what_it_imports(project: Project) -> None:
    project.stream("todo_stream.py", TODO_STREAM)
    project.step("update_todo_step.py", UPDATE_TODO)
    project.load()
    with served() as client:

        def put(body: str) -> tuple[int, object]:
            answer = client.put("/todo", body, content_type="application/json")
            return answer.status_code, answer.json()

        assert put("{}") == (400, {"error": "todo_id is required"})
        assert put('{"todo_id": "1"}') == (404, {"error": "Todo not found"})
        streams["todo"].set("inbox", "1", {"text": "old"})
        status, said = put('{"todo_id": "1", "text": "new"}')
    assert status == 200
    assert said == {
        "old_value": {"id": "1", "text": "old"},
        "new_value": {"id": "1", "text": "new", "todo_id": "1"},
    }


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_state_messages_and_the_log_work_plainly_and_awaited(project: Project, kind: str) -> None:
    wait = "await " if kind == "async def" else ""
    project.step(
        "work_step.py",
        f"""
        from motia_django import enqueue, logger, queue, stateManager, state_manager

        config = {{"name": "work.it", "triggers": [queue("work")], "enqueues": ["done"]}}

        {kind} handler(input):
            {wait}logger.info("Working", {{"n": input["n"]}})
            changed = {wait}stateManager.set("work", "n", input["n"])
            {wait}state_manager.update(
                scope="work", key="n", ops=[{{"type": "increment", "path": "", "by": 1}}]
            )
            kept = {wait}stateManager.get("work", "n")
            listed = {wait}stateManager.list("work")
            groups = {wait}stateManager.list_groups()
            {wait}enqueue({{"topic": "done", "data": [changed["new_value"], kept, listed, groups]}})
            {wait}stateManager.delete("work", "n")
        """,
    )
    project.step(
        "done_step.py",
        """
        from motia_django import queue, stateManager

        config = {"name": "done", "triggers": [queue("done")]}

        def handler(input):
            stateManager.set("told", "all", input)
        """,
    )
    project.load()
    sent("work", {"n": 1})
    assert state.get("told", "all") == [1, 2, [2], ["work"]]
    assert state.list("work") == []


def test_what_an_async_handler_does_not_await_is_done_all_the_same(project: Project) -> None:
    project.step(
        "hasty_step.py",
        """
        from motia_django import enqueue, logger, queue, stateManager

        config = {"name": "hasty", "triggers": [queue("go")], "enqueues": ["gone"]}

        async def handler(input):
            logger.info("not awaited")
            stateManager.set("hasty", "a", 1)
            enqueue({"topic": "gone"})
        """,
    )
    project.step(
        "gone_step.py",
        """
        from motia_django import queue, stateManager
        config = {"name": "gone", "triggers": [queue("gone")]}
        def handler():
            stateManager.set("hasty", "b", 2)
        """,
    )
    project.load()
    sent("go")
    assert state.items("hasty") == [("a", 1), ("b", 2)]


def test_a_result_that_was_not_awaited_cannot_be_used_by_mistake(project: Project) -> None:
    project.step(
        "hasty_step.py",
        """
        from motia_django import queue, stateManager

        config = {"name": "hasty", "triggers": [queue("go", config={"maxRetries": 0})]}

        async def handler(input):
            if stateManager.get("hasty", "a"):
                raise AssertionError
        """,
    )
    project.load()
    with pytest.raises(AssertionError, match="the result of State.get is to be awaited"):
        sent("go")


def test_a_failure_of_what_was_not_awaited_fails_the_run(project: Project) -> None:
    project.step(
        "hasty_step.py",
        """
        from motia_django import queue, stateManager

        config = {"name": "hasty", "triggers": [queue("go", config={"maxRetries": 0})]}

        async def handler(input):
            stateManager.set("", "a", 1)
        """,
    )
    project.load()
    with pytest.raises(AssertionError, match="InvalidKey"):
        sent("go")


SSE = """
    import asyncio
    import json
    from typing import Any
    from urllib.parse import parse_qsl

    from motia_django import MotiaHttpArgs, http, logger

    config = {
        "name": "SSE Example",
        "flows": ["sse"],
        "triggers": [http("POST", "/sse")],
        "enqueues": [],
    }


    async def handler(args: MotiaHttpArgs[Any]) -> None:
        request = args.request
        response = args.response
        logger.info("Data", {k: v for k, v in request.headers.items() if k.lower() == "accept"})
        await response.status(201)
        await response.headers({"content-type": "text/event-stream", "cache-control": "no-cache"})
        chunks = []
        async for chunk in request.request_body.stream:
            chunks.append(chunk.decode() if isinstance(chunk, bytes) else str(chunk))
        for name, value in parse_qsl("".join(chunks)):
            response.writer.stream.write(f"data: {json.dumps([name, value])}\\n\\n".encode("utf-8"))
            await asyncio.sleep(0)
        response.writer.stream.write(b"event: done\\n\\n")
        response.close()
"""


def test_an_answer_by_a_channel_is_sent_part_by_part(project: Project) -> None:
    project.step("sse_step.py", SSE)
    project.load()
    with served() as client:
        answer = client.post("/sse", "a=1&b=2", content_type="application/x-www-form-urlencoded")
        parts = [part for part in answer if part]
    assert answer.status_code == 201
    assert answer["Content-Type"] == "text/event-stream"
    assert answer["Cache-Control"] == "no-cache"
    assert parts == [b'data: ["a", "1"]\n\n', b'data: ["b", "2"]\n\n', b"event: done\n\n"]


BY_MESSAGES = """
    import json

    from motia_django import MotiaHttpArgs, http

    config = {"name": "Messages", "triggers": [http("POST", "/messages")]}


    async def handler(args: MotiaHttpArgs) -> None:
        writer = args.response.writer
        await writer.send_message_async(json.dumps({"type": "set_status", "status_code": 207}))
        writer.send_message(json.dumps({"type": "set_headers", "headers": {"x-how": "message"}}))
        writer.stream.write(await args.request.request_body.read_all())
        writer.close()
"""


def test_a_channel_is_told_by_messages_too(project: Project) -> None:
    project.step("messages_step.py", BY_MESSAGES)
    project.load()
    with served() as client:
        answer = post(client, '"as it came"', "/messages")
        assert (answer.status_code, answer.getvalue()) == (207, b'"as it came"')
    assert answer["X-How"] == "message"


CHANNEL = """
    from motia_django import ApiResponse, MotiaHttpArgs, http, stateManager

    config = {"name": "Channel", "triggers": [http("GET", "/channel/:how")]}


    async def handler(args: MotiaHttpArgs) -> object:
        how = args.request.path_params["how"]
        if how == "refuse":
            return ApiResponse(status=403, body={"error": "no"})
        if how == "fail":
            raise LookupError("nothing there")
        if how == "late":
            args.response.writer.stream.write("some")
            await stateManager.set("channel", "late", True)
            raise LookupError("too late")
        if how == "silent":
            await args.response.status(202)
            return None
        args.response.status(418)
        args.response.writer.stream.write({"json": True})
"""


def test_a_handler_with_a_channel_may_answer_otherwise(project: Project) -> None:
    project.step("channel_step.py", CHANNEL)
    project.load()
    with served() as client:
        refused = client.get("/channel/refuse")
        assert (refused.status_code, refused.getvalue()) == (403, b'{"error": "no"}')
        assert refused["Content-Type"] == "application/json"
        assert client.get("/channel/fail").status_code == 500
        silent = client.get("/channel/silent")
        assert (silent.status_code, silent.getvalue()) == (202, b"")
        other = client.get("/channel/other")
        assert (other.status_code, other.getvalue()) == (418, b'{"json": true}')
        assert client.head("/channel/other").status_code in (200, 405)


def test_a_plain_handler_writes_to_its_channel_too(project: Project) -> None:
    project.step(
        "plain_step.py",
        """
        from motia_django import MotiaHttpArgs, http

        config = {"name": "plain", "triggers": [http("GET", "/plain")]}

        def handler(args: MotiaHttpArgs) -> None:
            args.response.status(202)
            args.response.headers({"Content-Type": "text/plain"})
            args.response.writer.stream.write("a")
            args.response.writer.stream.write(b"b")
            args.response.close()
        """,
    )
    project.load()
    with served() as client:
        answer = client.get("/plain")
    assert (answer.status_code, answer.content) == (202, b"ab")


def test_a_body_is_what_the_annotation_says(project: Project) -> None:
    for name, annotation in (("a", "ApiRequest[dict[str, Any]]"), ("b", "ApiRequest[Order]")):
        project.step(
            f"{name}_step.py",
            f"""
            from __future__ import annotations
            from typing import Any
            from pydantic import BaseModel
            from motia_django import ApiRequest, ApiResponse, http

            class Order(BaseModel):
                sku: str
                n: int = 1

            config = {{"name": "{name}", "triggers": [http("POST", "/{name}", body_schema=Order)]}}

            async def handler(request: {annotation}) -> ApiResponse[Any]:
                return ApiResponse(status=200, body=type(request.body).__name__)
            """,
        )
    project.load()
    with served() as client:
        assert post(client, {"sku": "x"}, "/a").json() == "dict"
        assert post(client, {"sku": "x"}, "/b").json() == "Order"
        assert post(client, {}, "/a").status_code == 400


def test_middleware_of_a_trigger_answers_or_goes_on(project: Project) -> None:
    project.step(
        "guarded_step.py",
        """
        from typing import Any

        from motia_django import ApiRequest, ApiResponse, FlowContext, http

        async def timed(req: ApiRequest[Any], ctx: FlowContext[Any], next: Any) -> Any:
            answer = await next()
            answer.headers["X-Timed"] = "yes"
            return answer

        async def guard(req: ApiRequest[Any], ctx: FlowContext[Any], next: Any) -> Any:
            if req.headers.get("x-key") != "k":
                return ApiResponse(status=403, body={"error": req.path_params["id"]})
            ctx.who = req.headers["X-Key"]
            return await next()

        config = {
            "name": "Guarded",
            "triggers": [http("GET", "/guarded/:id", middleware=[timed, guard])],
            "enqueues": [],
        }

        async def handler(request: ApiRequest[Any], ctx: FlowContext[Any]) -> ApiResponse[Any]:
            return ApiResponse(status=200, body=ctx.who)
        """,
    )
    project.load()
    with served() as client:
        refused = client.get("/guarded/7")
        answer = client.get("/guarded/7", headers={"X-Key": "k"})
    assert (refused.status_code, refused.json(), refused["X-Timed"]) == (403, {"error": "7"}, "yes")
    assert (answer.json(), answer["X-Timed"]) == ("k", "yes")


def test_a_state_change_starts_a_step_with_a_condition_of_two_arguments(project: Project) -> None:
    project.step(
        "changed_step.py",
        """
        from motia_django import StateTriggerInput, enqueue, logger, state, stateManager

        config = {
            "name": "on-user-state-change",
            "triggers": [state(condition=lambda input, ctx: input.group_id == "users")],
            "enqueues": ["user.changed"],
        }

        async def handler(input: StateTriggerInput) -> None:
            old = input.old_value.get("status") if isinstance(input.old_value, dict) else None
            await stateManager.set("seen", input.item_id, [old, input.new_value["status"]])
        """,
    )
    project.load()
    state.set("users", "1", {"status": "new"})
    state.set("others", "1", {"status": "new"})
    all_went_well()
    assert state.items("seen") == [("1", [None, "new"])]


def test_an_event_of_a_stream_starts_a_step(project: Project) -> None:
    project.stream("todo_stream.py", TODO_STREAM)
    project.step(
        "event_step.py",
        """
        from motia_django import FlowContext, StreamTriggerInput, stateManager, stream

        config = {"name": "on-todo", "triggers": [stream("todo")], "enqueues": []}

        async def handler(input: StreamTriggerInput, ctx: FlowContext[dict]) -> None:
            told = [input.stream_name, input.group_id, input.id, input.event.type, ctx.is_stream()]
            await stateManager.set("seen", "it", told)
        """,
    )
    project.load()
    streams["todo"].set("inbox", "1", {"text": "x"})
    all_went_well()
    assert state.get("seen", "it") == ["todo", "inbox", "1", "create", True]


TRIPLE = """
    from typing import Any

    from motia_django import ApiRequest, ApiResponse, FlowContext, StepConfig, cron, http
    from motia_django import multi_trigger_step, queue, stateManager, step

    config = StepConfig(
        name="Triple::trigger step",
        triggers=[
            queue("triple", condition=lambda data: data["n"] > 0),
            http("POST", "/triple"),
            cron(expression="0 2 * * * *"),
        ],
        enqueues=["triple"],
    )


    async def on_queue(data: Any, ctx: FlowContext[Any]) -> None:
        await stateManager.set("triple", "queue", [data, ctx.trigger.topic, ctx.get_data()])


    async def on_http(request: ApiRequest[Any], ctx: FlowContext[Any]) -> ApiResponse[Any]:
        await ctx.enqueue({"topic": "triple", "data": request.body})
        return ApiResponse(status=200, body=[ctx.trigger.method, ctx.trigger.path, ctx.is_api()])


    async def on_cron(ctx: FlowContext[Any]) -> None:
        await stateManager.set("triple", "cron", [ctx.trigger.expression, ctx.get_data()])

"""
WAYS = [
    'it = multi_trigger_step(config).handlers({"queue": on_queue, "http": on_http,'
    ' "cron": on_cron})',
    "it = multi_trigger_step(config).on_queue(on_queue).on_http(on_http).on_cron(on_cron)"
    ".handlers()",
    "config = multi_trigger_step(config).on_queue(on_queue).on_api(on_http).on_cron(on_cron)"
    ".handlers()",
    """async def both(input, ctx):
        branches = {"queue": lambda data: on_queue(data, ctx), "cron": lambda: on_cron(ctx)}
        return await ctx.match({**branches, "http": lambda request: on_http(request, ctx)})

    it = step(config).handle(both)""",
    """async def handler(input, ctx):
        branches = {"event": lambda data: on_queue(data, ctx), "cron": lambda: on_cron(ctx)}
        return await ctx.match({**branches, "api": lambda request: on_http(request, ctx)})""",
]


@pytest.mark.parametrize("way", WAYS)
def test_a_step_of_many_triggers_can_be_defined_in_every_way(project: Project, way: str) -> None:
    project.step("triple_step.py", f"{TRIPLE}\n    {way}\n")
    project.load()
    with served() as client:
        assert post(client, {"n": 1}, "/triple").json() == ["POST", "/triple", True]
    all_went_well()
    ticked("Triple::trigger step")
    assert state.items("triple") == [
        ("cron", ["0 2 * * * *", None]),
        ("queue", [{"n": 1}, "triple", {"n": 1}]),
    ]


def test_a_config_of_delivery_may_be_an_object(project: Project) -> None:
    project.step(
        "fifo_step.py",
        """
        from motia_django import QueueConfig, QueueTrigger

        config = {
            "name": "fifo",
            "triggers": [
                QueueTrigger(topic="t", config=QueueConfig(type="fifo", max_retries=9), input=None)
            ],
        }

        def handler(input):
            pass
        """,
    )
    delivery = project.only_step().triggers[0].delivery
    assert (delivery.fifo, delivery.max_retries) == (True, 9)


def test_listeners_of_a_stream_may_take_the_context(project: Project) -> None:
    project.stream(
        "chat_stream.py",
        """
        from motia_django import StreamConfig

        told = []

        async def on_join(subscription, context, auth):
            context.logger.info("joined")
            told.append((subscription.group_id, auth))
            return {"unauthorized": False}

        config = StreamConfig(name="chat", schema={"type": "object"}, on_join=on_join)
        """,
    )
    listener = project.load().stream("chat").on_join
    assert listener is not None
    assert calls.call(listener, SimpleNamespace(group_id="g"), "me") == {"unauthorized": False}


@pytest.mark.parametrize("name", ["ctx", "context", "_input"])
def test_a_cron_handler_of_one_argument_is_given_what_it_calls_it(
    project: Project, name: str
) -> None:
    project.step(
        "tick_step.py",
        f"""
        from motia_django import cron, stateManager

        config = {{"name": "Tick it", "triggers": [cron("0 0 * * *")]}}

        async def handler({name}):
            await stateManager.set("tick", "trace", getattr({name}, "trace_id", None))
        """,
    )
    project.load()
    ticked("Tick it")
    assert (state.get("tick", "trace") is None) == (name == "_input")


def test_changes_and_events_have_handlers_of_their_own_and_the_rest_none(project: Project) -> None:
    project.stream("todo_stream.py", TODO_STREAM)
    project.step(
        "kinds_step.py",
        """
        from motia_django import multi_trigger_step, queue, state, stateManager, stream

        config = {"name": "Kinds", "triggers": [state(), stream("todo"), queue("none")]}

        def on_state(input, ctx):
            if input.group_id != "seen":
                stateManager.set("seen", "state", input.key)

        def on_stream(input):
            stateManager.set("seen", "stream", input.id)

        it = multi_trigger_step(config).on_state(on_state).on_stream(on_stream).handlers()
        """,
    )
    project.load()
    state.set("orders", "17", {})
    streams["todo"].set("inbox", "t1", {})
    all_went_well()
    assert state.items("seen") == [("state", "17"), ("stream", "t1")]
    with pytest.raises(AssertionError, match="no handler for 'queue', only for state, stream"):
        sent("none")
