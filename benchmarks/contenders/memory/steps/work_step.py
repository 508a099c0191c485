"""Works on an order."""

from typing import Any

from benchmarks.contenders.memory.models import Order

config = {"name": "WorkOnOrder", "triggers": [{"type": "queue", "topic": "order.taken"}]}


def handler(taken: Any, ctx: Any) -> None:
    """Work on an order."""
    Order.objects.filter(pk=taken["order"]).update(is_done=True)
