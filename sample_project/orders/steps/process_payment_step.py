"""Pretends to take a payment; called by other Steps with ctx.invoke, or by a message."""

from typing import Any

from pydantic import BaseModel

from motia_django import Context, queue, step

LIMIT = 10_000


class Payment(BaseModel):
    orderId: str
    amount: float


config = step(
    "ProcessPayment",
    description="Takes a payment of up to 10,000",
    triggers=[queue("payment.requested", input=Payment)],
    flows=["orders"],
    index=["orderId"],
)


def handler(input: Payment, ctx: Context) -> dict[str, Any]:
    if input.amount > LIMIT:
        raise ValueError(f"The card refused {input.amount:.2f}")
    ctx.logger.info("Payment taken", {"orderId": input.orderId, "amount": input.amount})
    return {"paymentId": f"pay-{input.orderId}", "amount": input.amount}
