"""Each change of an order, in its order, is shown to whoever follows the stream."""

from motia_django import Context, StateChange, state_changed, step

config = step(
    "ShowOrder",
    description="Shows each change of an order in the stream `orders`",
    triggers=[state_changed("orders", config={"type": "fifo"})],
    flows=["orders"],
)


def handler(change: StateChange, ctx: Context) -> None:
    order = change.new_value
    if order is None:
        ctx.streams.orders.delete("board", change.item_id)
        return
    shown = {key: order[key] for key in ("customer", "amount", "status")}
    done = 100 if order["status"] == "shipped" else order.get("percent", 10)
    ctx.streams.orders.set("board", change.item_id, {**shown, "percent": done})
