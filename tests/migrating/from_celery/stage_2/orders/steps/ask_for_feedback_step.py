from ..models import Order

config = {
    "name": "AskForFeedback",
    "triggers": [{"type": "queue", "topic": "order.delivered"}],
    "atomic": True,
}


def handler(order):
    Order.objects.get(pk=order["orderId"]).note("asked for feedback")
