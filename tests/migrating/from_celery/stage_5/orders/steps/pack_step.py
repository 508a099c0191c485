from ..models import Order

config = {
    "name": "Pack",
    "triggers": [{"type": "queue", "topic": "item.sold"}],
    "atomic": True,
}


def handler(sold, ctx):
    Order.objects.get(pk=sold["orderId"]).note(f"{sold['item']} packed")
    done = {"type": "merge", "path": "done", "value": {sold["item"]: True}}
    ctx.state.update("packing", str(sold["orderId"]), [done])
