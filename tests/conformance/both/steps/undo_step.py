"""Undoes what a Step did whose attempts are spent."""

from typing import Any

from motia_django import Context

config = {"name": "Undo", "triggers": [{"type": "queue", "topic": "both.spent.died"}]}


def handler(input: Any, ctx: Context) -> None:
    told = {key: input[key] for key in ("step", "source", "input", "attempt", "error")}
    ctx.state.update("both.items", "undone", [{"type": "append", "path": "all", "value": told}])
