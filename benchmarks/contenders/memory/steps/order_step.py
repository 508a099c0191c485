"""Takes an order, and has it worked on; the environment says which kind its schema is of."""

import os
from importlib import import_module
from typing import Any

from benchmarks.contenders.memory.models import Order

schemas = import_module(f"benchmarks.contenders.memory.{os.environ['BENCHMARK_SCHEMA']}")
config = {
    "name": "TakeOrder",
    "triggers": [
        {"type": "http", "method": "POST", "path": "/orders", "bodySchema": schemas.NewOrder}
    ],
    "enqueues": ["order.taken"],
}


def handler(request: Any, ctx: Any) -> dict[str, Any]:
    """Take it."""
    new = dict(request.body)
    ctx.enqueue({"topic": "order.taken", "data": {"order": Order.objects.create(**new).pk}})
    return {"status": 201, "body": new}
