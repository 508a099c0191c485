"""A request that fans out: state that is watched, messages, and an answer."""

from typing import Any

from motia_django import AsyncContext, Request

config = {
    "name": "Door",
    "triggers": [{"type": "http", "method": "POST", "path": "/both"}],
    "enqueues": ["both.leaves", "both.unheard"],
}


async def handler(request: Request, ctx: AsyncContext) -> dict[str, Any]:
    await ctx.state.set("both.items", "größe 🚲", {"n": request.body["n"]})
    await ctx.enqueue([{"topic": "both.leaves", "data": {"n": n}} for n in range(3)])
    await ctx.enqueue({"topic": "both.unheard", "data": {}})
    ctx.logger.warn("Opened", {"password": "secret"})
    return {"status": 202, "body": {"opened": True}}
