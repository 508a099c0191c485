"""Takes an order, and has it worked on."""

from typing import Any

from pydantic import BaseModel


class Order(BaseModel):
    """What is ordered."""

    title: str


config = {
    "name": "TakeOrder",
    "triggers": [{"type": "http", "method": "POST", "path": "/orders", "bodySchema": Order}],
    "enqueues": ["order.taken"],
}


def handler(request: Any, ctx: Any) -> dict[str, Any]:
    """Take it."""
    order = request.body.model_dump()
    ctx.enqueue({"topic": "order.taken", "data": order})
    return {"status": 201, "body": order}
