from ..models import Order


def all_is_packed(change):
    packing = change.new_value
    return bool(packing) and set(packing["done"]) == set(packing["items"])


config = {
    "name": "Ship",
    "triggers": [{"type": "state", "groupId": "packing", "condition": all_is_packed}],
    "atomic": True,
}


def handler(change):
    Order.objects.get(pk=change.item_id).note("shipped")
