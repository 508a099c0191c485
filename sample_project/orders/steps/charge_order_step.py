"""The heavy work behind POST /orders: invokes another Step, and handles its errors."""

from typing import Any

from motia_django import Context, queue, step

config = step(
    "ChargeOrder",
    description="Takes the payment for an order",
    triggers=[queue("order.created")],
    enqueues=[{"topic": "order.failed", "label": "if the card refuses", "conditional": True}],
    flows=["orders"],
    index=["orderId"],
)


def handler(input: dict[str, Any], ctx: Context) -> dict[str, Any]:
    try:
        # Invoke another Step directly
        payment = ctx.invoke(
            "ProcessPayment", {"orderId": input["orderId"], "amount": input["amount"]}
        )
    except ValueError as error:
        ctx.logger.error(
            "Order processing failed", {"error": str(error), "orderId": input["orderId"]}
        )

        # Enqueue for whoever looks after failed orders
        ctx.enqueue(
            {
                "topic": "order.failed",
                "data": {"orderId": input["orderId"], "error": str(error)},
            }
        )
        return {"status": 500, "body": {"error": "Processing failed"}}

    paid = [{"type": "merge", "value": {"status": "paid", "paymentId": payment["paymentId"]}}]
    ctx.state.update("orders", input["orderId"], paid)
    return {"status": 200, "body": payment}
