"""Takes the messages of a group in their order, one at a time."""

from typing import Any

from motia_django import Context

config = {
    "name": "InOrder",
    "triggers": [{"type": "queue", "topic": "both.ordered", "config": {"type": "fifo"}}],
}


def handler(input: Any, ctx: Context) -> None:
    ctx.state.update("both.order", "came", [{"type": "append", "path": "all", "value": input["n"]}])
