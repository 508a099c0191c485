"""A Step that sends its last part when the test opens the gate, as Server-Sent Events, async."""

from collections.abc import AsyncIterator
from typing import Any

from motia_django import AsyncContext, http, sse, step
from tests.journeys.sending.gates import gate

config = step("AsyncParts", triggers=[http("GET", "/parts/async/:gate")])


async def handler(request: Any, ctx: AsyncContext) -> AsyncIterator[Any]:
    name = request.params["gate"]
    try:
        yield sse({"part": "first"}, event="part", id=1)
        if name == "broken":
            raise ValueError("a part cannot be made")
        while not gate(name).exists():
            await gate(name).await_()
            yield sse({"part": "between"})
        ctx.logger.info("The gate is open")
        yield sse({"part": "last"})
    finally:
        await ctx.state.set("sending", name, "closed")
