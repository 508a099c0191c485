"""A Step that takes its time for an answer."""

import asyncio
from typing import Any

from motia_django import http, step

config = step(
    "Patience",
    triggers=[http("GET", "/patience")],
)


async def handler(input: Any, ctx: Any) -> dict[str, Any]:
    await ctx.state.set("sending", "patience", "waits")
    await asyncio.sleep(60)
    return {"status": 200, "body": {}}
