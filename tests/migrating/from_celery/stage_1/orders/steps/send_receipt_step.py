from ..tasks import send_receipt

config = {
    "name": "SendReceipt",
    "triggers": [{"type": "queue", "topic": "order.paid"}],
}


def handler(order):
    send_receipt(order["orderId"])
