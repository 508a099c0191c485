"""A conditional trigger: only orders over 100."""

from typing import Any

from motia_django import Context, queue, step

config = step(
    "ReviewLargeOrder",
    description="Notes orders that somebody should look at",
    triggers=[queue("order.created", condition=lambda input: input["amount"] > 100)],
    flows=["orders"],
    index=["orderId"],
)


def handler(input: dict[str, Any], ctx: Context) -> None:
    ctx.logger.info("Large order", {"orderId": input["orderId"], "amount": input["amount"]})
    ctx.state.set("reviews", input["orderId"], {"amount": input["amount"]})
