"""Work that takes a while, and that people watch: the parcel of an order that was paid."""

import time

from motia_django import Context, StateChange, state_changed, step

LARGEST_BOX = 5_000


def was_paid(change: StateChange) -> bool:
    before, after = change.old_value["status"], change.new_value["status"]
    return bool(before != after == "paid")


config = step(
    "PackOrder",
    description="Pretends to pack the parcel of an order that was paid",
    triggers=[state_changed("orders", events=["updated"], condition=was_paid)],
    flows=["orders"],
    index={"orderId": "item_id"},
)


def handler(change: StateChange, ctx: Context) -> None:
    if change.new_value["amount"] > LARGEST_BOX:
        raise RuntimeError(f"No box is large enough for order {change.item_id}")
    for percent in range(40, 90, 10):
        time.sleep(0.3)
        progress = [{"type": "set", "path": "percent", "value": percent}]
        ctx.state.update("orders", change.item_id, progress)
    packed = [{"type": "merge", "value": {"status": "packed", "percent": 90}}]
    ctx.state.update("orders", change.item_id, packed)
