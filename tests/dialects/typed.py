"""A Step in Motia's words as a type checker sees it: mypy asks, at each lint."""

from __future__ import annotations

from typing import Any, assert_type

from motia_django import (
    ApiRequest,
    ApiResponse,
    FlowContext,
    MotiaHttpArgs,
    QueueConfig,
    StepConfig,
    StepDefinition,
    Stream,
    cron,
    enqueue,
    http,
    is_http_step,
    logger,
    queue,
    state,
    stateManager,
    step,
    stream,
)

todos: Stream[dict[str, Any]] = Stream("todo")

config = {
    "name": "x",
    "triggers": [
        http("GET", "/x"),
        queue("t", config=QueueConfig(max_retries=2)),
        cron(expression="@daily"),
        state(condition=lambda input, ctx: True),
        stream("todo"),
    ],
    "enqueues": [],
}


async def handler(
    request: ApiRequest[dict[str, Any]], ctx: FlowContext[Any]
) -> ApiResponse[dict[str, bool]]:
    """Await what is awaited in async code."""
    assert_type(request.body, dict[str, Any])
    assert_type(await enqueue({"topic": "t", "data": 1}), list[str])
    await stateManager.set("a", "b", 1)
    await todos.set("inbox", "1", request.body)
    await logger.info("x")
    await ctx.enqueue({"topic": "t"})
    await ctx.state.set("a", "b", 1)
    return ApiResponse(status=200, body={"ok": is_http_step(config)})


def plain(args: MotiaHttpArgs) -> None:
    """Await nothing."""
    assert_type(enqueue({"topic": "t"})[0], str)
    args.response.status(200)
    logger.info("x")


assert_type(step(config, handler), StepDefinition)
assert_type(step("x", triggers=[http("GET", "/")]), StepConfig)
