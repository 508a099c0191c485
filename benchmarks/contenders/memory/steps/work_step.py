"""Works on an order."""

from typing import Any

config = {"name": "WorkOnOrder", "triggers": [{"type": "queue", "topic": "order.taken"}]}


def handler(order: Any, ctx: Any) -> None:
    """Keep it."""
    ctx.state.set("orders", order["title"], order)
