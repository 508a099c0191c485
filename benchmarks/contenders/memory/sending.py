"""Sends orders to be worked on, and waits until they are.

python -m benchmarks.contenders.memory.sending NUMBER
"""

from __future__ import annotations

import sys
import time

import django
from django.apps import apps

LONGEST = 30
"""Seconds until it gives up."""


def main() -> int:
    """Send them; return 0 once they are done, 1 if they are not."""
    django.setup()
    from benchmarks.contenders.memory.models import Order

    orders = [Order.objects.create(title="a lamp").pk for _ in range(int(sys.argv[1]))]
    for order in orders:
        _send(order)
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline:
        if not Order.objects.filter(pk__in=orders, is_done=False).exists():
            return 0
        time.sleep(0.1)
    return 1


def _send(order: int) -> None:
    if apps.is_installed("motia_django"):
        from motia_django import enqueue

        enqueue({"topic": "order.taken", "data": {"order": order}})
    else:
        from benchmarks.contenders.memory.tasks import job

        job.delay(order)


if __name__ == "__main__":
    raise SystemExit(main())
