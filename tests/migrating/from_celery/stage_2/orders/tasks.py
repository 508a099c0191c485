from celery import shared_task

from motia_django import enqueue

from . import bank
from .models import Order


@shared_task(bind=True, max_retries=5, time_limit=60)
def charge(self, order_id):
    order = Order.objects.get(pk=order_id)
    try:
        bank.take_money(order)
    except bank.Unavailable as error:
        raise self.retry(exc=error, countdown=1) from error
    order.note("charged")


@shared_task(autoretry_for=(OSError,), retry_backoff=True)
def send_receipt(order_id):
    Order.objects.get(pk=order_id).note("receipt sent")


@shared_task
def pack(order_id, item):
    Order.objects.get(pk=order_id).note(f"{item} packed")


@shared_task
def ship(order_id):
    Order.objects.get(pk=order_id).note("shipped")


@shared_task
def ask_for_feedback(order_id):
    data = {"orderId": order_id}
    enqueue("order.delivered", data, dedupeKey=f"order {order_id}", dedupeFor=24 * 3600)


@shared_task
def remind_of_carts():
    for order in Order.objects.filter(status="cart"):
        if Order.objects.filter(pk=order.pk, status="cart").update(status="reminded"):
            order.note("reminded")
