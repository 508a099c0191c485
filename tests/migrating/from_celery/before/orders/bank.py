from .models import Order


class Unavailable(Exception):
    pass


def take_money(order):
    """Take it, but not at the first try: so is this bank."""
    order.tries += 1
    order.save()
    if order.tries == 1:
        raise Unavailable("try again")
    Order.objects.filter(pk=order.pk).update(status="paid")
