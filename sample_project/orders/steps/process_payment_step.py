"""Pretends to ask the card; called by other Steps with ctx.invoke, or by a message."""

from typing import Any

from pydantic import BaseModel

from motia_django import Context, queue, step

LIMIT = 10_000


class Payment(BaseModel):
    orderId: str
    amount: float


config = step(
    "ProcessPayment",
    description="Authorises a payment of up to 10,000",
    triggers=[queue("payment.requested", input=Payment)],
    enqueues=["payment.authorised"],
    flows=["orders"],
    index=["orderId"],
)


def handler(input: Payment, ctx: Context) -> dict[str, Any]:
    if input.amount > LIMIT:
        raise ValueError(f"The card refused {input.amount:.2f}")
    payment = {"paymentId": f"pay-{input.orderId}", "amount": input.amount}
    ctx.logger.info("Payment authorised", {"orderId": input.orderId, "amount": input.amount})
    ctx.enqueue({"topic": "payment.authorised", "data": {"orderId": input.orderId, **payment}})
    return payment
