"""Pretends to send an email."""

from typing import Any

from motia_django import Context, queue, step

config = step(
    "SendEmail",
    description="Tells a customer that an order is on its way",
    triggers=[queue("email.send", config={"maxRetries": 5, "backoffDelayMs": 2000})],
    flows=["orders"],
)


def handler(input: dict[str, Any], ctx: Context) -> None:
    ctx.logger.info("Email sent", {"orderId": input["orderId"]})
    ctx.state.update("counters", "emails", [{"type": "increment", "path": "sent"}])
