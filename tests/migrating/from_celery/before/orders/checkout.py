from celery import chain, chord
from django.db import transaction

from .models import Order
from .tasks import ask_for_feedback, charge, pack, send_receipt, ship


def place_order(items):
    with transaction.atomic():
        order = Order.objects.create()
        transaction.on_commit(lambda: begin(order.pk, items))
    return order


def begin(order_id, items):
    chain(charge.si(order_id), send_receipt.si(order_id)).delay()
    chord([pack.si(order_id, item) for item in items], ship.si(order_id)).delay()
    ask_for_feedback.apply_async((order_id,), countdown=2)
