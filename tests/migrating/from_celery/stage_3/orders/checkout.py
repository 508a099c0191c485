from django.db import transaction

from motia_django import enqueue, state

from .models import Order


def place_order(items):
    with transaction.atomic():
        order = Order.objects.create()
        told = {"orderId": order.pk}
        state.set("packing", str(order.pk), {"items": items, "done": {}})
        enqueue("order.placed", told)
        enqueue([{"topic": "item.sold", "data": {**told, "item": item}} for item in items])
        enqueue("order.delivered", told, delaySeconds=2)
    return order
