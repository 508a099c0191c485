"""The state audit pattern: every change of an order, with its old and its new value."""

from motia_django import Context, StateChange, step

config = step(
    "AuditOrders",
    description="Keeps track of what happens to orders",
    triggers=[{"type": "state", "condition": lambda input: input.group_id == "orders"}],
    enqueues=[{"topic": "email.send", "label": "when it is shipped", "conditional": True}],
    flows=["orders"],
)


def handler(input: StateChange, ctx: Context) -> None:
    # Log audit trail
    ctx.logger.info(
        "Order state changed",
        {"orderId": input.item_id, "from": input.old_value, "to": input.new_value},
    )

    # Notify if status changed to 'shipped'
    if input.new_value and input.new_value["status"] == "shipped":
        ctx.enqueue({"topic": "email.send", "data": {"orderId": input.item_id}})
