"""Succeeds at the third attempt."""

from typing import Any

from motia_django import AsyncContext, Retry

config = {
    "name": "Retried",
    "triggers": [{"type": "queue", "topic": "both.retried", "config": {"backoffDelayMs": 10}}],
}


async def handler(input: Any, ctx: AsyncContext) -> int:
    if ctx.attempt == 1:
        raise ConnectionError("busy")
    if ctx.attempt == 2:
        raise Retry("still busy", after=0.01)
    return ctx.attempt
