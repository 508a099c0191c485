"""`manage.py traffic`: visitors for the sample project, some of whom ask for the impossible."""

from __future__ import annotations

import time
from collections import Counter
from itertools import islice
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from motia_django.commands.runs import use_broker_of_dev
from sample_project.orders.visitors import Shop, plan


class Command(BaseCommand):
    """Makes the same deeds for the same seed; the running project does the work."""

    help = "Send orders, shipments, todos, payments and mistakes to the running sample project."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take how much, for how long, and where."""
        parser.add_argument("--seconds", type=float, default=60, help="for how long (60)")
        parser.add_argument("--rate", type=float, default=2, help="deeds per second (2)")
        parser.add_argument("--seed", type=int, default=1, help="other seeds, other deeds (1)")
        url = "http://127.0.0.1:8000"
        parser.add_argument("--url", default=url, help=f"of the running project ({url})")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do one deed after the other, each at its time."""
        seconds, rate = options["seconds"], options["rate"]
        if not (seconds > 0 and rate > 0):
            raise CommandError("--seconds, --rate: expected numbers above 0", returncode=2)
        use_broker_of_dev()
        shop, done = Shop(options["url"].rstrip("/")), Counter[str]()
        began = time.monotonic()
        for number, deed in enumerate(islice(plan(options["seed"]), int(seconds * rate) or 1)):
            time.sleep(max(began + number / rate - time.monotonic(), 0))
            try:
                shop.do(deed)
            except OSError as error:
                text = f"{shop.url} does not answer ({error}): is `make demo` running?"
                raise CommandError(text) from error
            done[deed.kind] += 1
        told = ", ".join(f"{count} {kind}" for kind, count in done.most_common())
        self.stdout.write(f"{done.total()} deeds in {time.monotonic() - began:.0f} s: {told}.")
