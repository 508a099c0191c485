from ..models import Order

config = {
    "name": "SendReceipt",
    "triggers": [{"type": "queue", "topic": "order.paid"}],
}


def handler(order):
    Order.objects.get(pk=order["orderId"]).note("receipt sent")
