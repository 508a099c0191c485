"""What happens to orders that failed."""

from typing import Any

from motia_django import Context, queue, step

config = step(
    "FollowUpFailedOrder",
    description="Marks an order as failed",
    triggers=[queue("order.failed")],
    flows=["orders"],
    index=["orderId"],
)


def handler(input: dict[str, Any], ctx: Context) -> None:
    failed = [{"type": "merge", "value": {"status": "failed", "error": input["error"]}}]
    ctx.state.update("orders", input["orderId"], failed)
    ctx.logger.warn("Order failed", {"orderId": input["orderId"]})
