"""Sends one order to be worked on, and waits until it is.

python -m benchmarks.contenders.memory.sending
"""

from __future__ import annotations

import time

import django
from django.apps import apps

LONGEST = 30
"""Seconds until it gives up."""


def main() -> int:
    """Send it; return 0 once it is done, 1 if it is not."""
    django.setup()
    from benchmarks.contenders.memory.models import Order

    order = Order.objects.create(title="a lamp")
    _send(order.pk)
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline:
        if Order.objects.filter(pk=order.pk, is_done=True).exists():
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
