"""The plain Celery task."""

from celery import shared_task

from benchmarks.contenders.memory.models import Order


@shared_task
def job(order: int) -> None:
    """Work on an order."""
    Order.objects.filter(pk=order).update(is_done=True)
