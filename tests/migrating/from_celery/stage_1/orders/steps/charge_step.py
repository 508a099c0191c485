from ..tasks import charge

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
    charge(order["orderId"])
    ctx.enqueue("order.paid", order)
