"""A Step that answers a request and leads to another."""

from typing import Any

from motia_django import http, step

config = step("Door", triggers=[http("POST", "/door")], enqueues=["watched.work"])


async def handler(request: Any, ctx: Any) -> dict[str, Any]:
    """Write some state, send a message, and answer with the ids."""
    await ctx.state.set("watched", "door", {"open": True})
    await ctx.enqueue({"topic": "watched.work", "data": request.body})
    return {"status": 202, "body": {"traceId": ctx.trace_id, "runId": ctx.run_id}}
