"""The shop's own part is done: now somebody outside, who may be down, has to do his."""

from typing import Any

from motia_django import Context, queue, step
from sample_project.orders import payments

config = step(
    "CapturePayment",
    description="Has the payment provider take the money",
    triggers=[queue("payment.authorised", config={"maxRetries": 2, "backoffDelayMs": 500})],
    flows=["orders"],
    index=["orderId"],
)


def handler(input: dict[str, Any], ctx: Context) -> dict[str, Any]:
    taken = payments.capture(input["paymentId"], input["amount"])
    ctx.logger.info("Payment captured", {"orderId": input["orderId"], "by": taken["by"]})
    return taken
