"""Is one transaction: of its first attempt, which fails at its end, nothing is left."""

from typing import Any

from motia_django import Context

config = {
    "name": "Whole",
    "triggers": [{"type": "queue", "topic": "both.whole", "config": {"backoffDelayMs": 10}}],
    "enqueues": ["both.leaves"],
    "atomic": True,
}


def handler(input: Any, ctx: Context) -> None:
    ctx.state.update("both.items", "whole", [{"type": "increment", "path": "n"}])
    ctx.enqueue({"topic": "both.leaves", "data": {"n": 100}})
    if ctx.attempt == 1:
        raise RuntimeError("almost")
