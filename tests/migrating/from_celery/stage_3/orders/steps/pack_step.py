from ..tasks import pack

config = {
    "name": "Pack",
    "triggers": [{"type": "queue", "topic": "item.sold"}],
    "atomic": True,
}


def handler(sold, ctx):
    pack(sold["orderId"], sold["item"])
    done = {"type": "merge", "path": "done", "value": {sold["item"]: True}}
    ctx.state.update("packing", str(sold["orderId"]), [done])
