from ..models import Order

config = {
    "name": "RemindOfCarts",
    "triggers": [{"type": "cron", "schedule": "*/5 * * * * *", "overlap": "skip"}],
}


def handler():
    for order in Order.objects.filter(status="cart"):
        if Order.objects.filter(pk=order.pk, status="cart").update(status="reminded"):
            order.note("reminded")
