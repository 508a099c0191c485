"""Invokes a Step that works, and one that fails, whose error it handles."""

from typing import Any

from motia_django import Context

config = {
    "name": "Caller",
    "triggers": [{"type": "queue", "topic": "both.calls"}],
}


def handler(input: Any, ctx: Context) -> Any:
    good = ctx.invoke("Leaf", {"n": 1})
    try:
        ctx.invoke("Spent", {})
    except ValueError as error:
        return {"good": good, "error": str(error)}
    return None
