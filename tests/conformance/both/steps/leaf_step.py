"""Ends a branch."""

from typing import Any

from motia_django import Context

config = {"name": "Leaf", "triggers": [{"type": "queue", "topic": "both.leaves"}]}


def handler(input: Any, ctx: Context) -> dict[str, Any]:
    ctx.state.update("both.leaves", str(input["n"]), [{"type": "increment", "path": "fallen"}])
    return {"fell": input["n"]}
