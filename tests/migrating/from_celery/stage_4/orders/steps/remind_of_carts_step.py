from ..tasks import remind_of_carts

config = {
    "name": "RemindOfCarts",
    "triggers": [{"type": "cron", "schedule": "*/5 * * * * *", "overlap": "skip"}],
}


def handler():
    remind_of_carts()
