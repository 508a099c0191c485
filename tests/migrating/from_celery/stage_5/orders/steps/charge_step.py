from .. import bank
from ..models import Order

config = {
    "name": "Charge",
    "triggers": [
        {
            "type": "queue",
            "topic": "order.placed",
            "config": {
                "maxRetries": 5,
                "backoffType": "fixed",
                "backoffDelayMs": 1000,
                "visibilityTimeout": 60,
            },
        }
    ],
    "enqueues": ["order.paid"],
}


def handler(order, ctx):
    placed = Order.objects.get(pk=order["orderId"])
    bank.take_money(placed)
    placed.note("charged")
    ctx.enqueue("order.paid", order)
