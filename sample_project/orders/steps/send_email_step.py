"""Pretends to send an email. Mail servers have their moods, so some take it later, some never."""

from typing import Any

from motia_django import Context, Dead, queue, step

config = step(
    "SendEmail",
    description="Tells a customer that an order is on its way",
    triggers=[queue("email.send", config={"maxRetries": 5, "backoffDelayMs": 2000})],
    flows=["orders"],
    index=["orderId"],
)


def handler(input: dict[str, Any], ctx: Context) -> None:
    order = ctx.state.get("orders", input["orderId"]) or {}
    deliver(str(order.get("customer", "")), ctx.attempt)
    ctx.logger.info("Email sent", {"orderId": input["orderId"]})
    ctx.state.update("counters", "emails", [{"type": "increment", "path": "sent"}])


def deliver(address: str, attempt: int) -> None:
    match address.partition("@")[2]:
        case "gone.example":
            raise Dead(f"550: there is no mailbox {address}")  # trying again cannot help
        case "busy.example" if attempt < 3:
            raise ConnectionError("421: busy.example is busy, try again later")
        case "silent.example":
            raise TimeoutError("silent.example does not answer")
