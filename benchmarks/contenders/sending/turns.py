"""Sends a thousand messages, one way after the other, and prints how many a second each sent.

    python -m benchmarks.contenders.sending.turns <repeats> <broker> <database>

The broker is named for people; both are in the environment that the settings read.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

import django

from benchmarks.contests import Contest, Goal, Turn, in_turns

MESSAGES = 1000
DATA = {
    "orderId": "08302519-0619-45dc-970b-adebfe71f898",
    "customer": {"name": "Ada Lovelace", "email": "ada@example.com", "city": "Oslo"},
    "lines": [{"sku": "SKU-1", "count": 2, "price": 12.5}, {"sku": "SKU-2", "count": 1}],
    "paid": True,
    "note": "ring twice, please",
}
"""Some 250 bytes of JSON."""
DELAY, GROUP = "delay() in a loop", "group()"
LIST, LOOP = "enqueue a list", "enqueue in a loop"


def light(repeats: int, broker: str) -> Contest:
    """Return how fast messages are sent that no table knows."""
    ours = {LIST: partial(_enqueue_list, "light"), LOOP: partial(_enqueue_loop, "light")}
    return Contest(
        work=f"{broker}, light",
        unit="messages/s",
        more_is_better=True,
        figures=in_turns(_turns({DELAY: _delay, GROUP: _group, **ours}), repeats),
        goals=[
            Goal(ours=LIST, beside=DELAY, as_fast=4),
            Goal(ours=LOOP, beside=DELAY, as_fast=0.9),
            Goal(ours=LIST, beside=GROUP, as_fast=4),
        ],
    )


def kept(repeats: int, broker: str, database: str) -> Contest:
    """Return how fast messages are sent that are in the ledger as well."""
    ours = {LIST: partial(_enqueue_list, "kept"), LOOP: partial(_enqueue_loop, "kept")}
    return Contest(
        work=f"{broker} and {database}",
        unit="messages/s",
        more_is_better=True,
        figures=in_turns(_turns({DELAY: _delay, GROUP: _group, **ours}), repeats),
        goals=[Goal(ours=LIST, beside=DELAY, as_fast=2)],
    )


def _turns(ways: dict[str, Callable[[], object]]) -> dict[str, Turn]:
    """Return turns of these ways to send, each after a round that is not counted."""
    turns: dict[str, Turn] = {
        name: partial(_messages_a_second, send) for name, send in ways.items()
    }
    in_turns(turns, 1)
    return turns


def _messages_a_second(send: Callable[[], object]) -> float:
    """Send all messages; the queue and the ledger are emptied after it."""
    from motia_django import models

    began = time.perf_counter()
    send()
    took = time.perf_counter() - began
    _purge()
    models.Run.objects.all().delete()
    return MESSAGES / took


def _delay() -> None:
    for _ in range(MESSAGES):
        _job().delay(DATA)


def _group() -> None:
    from celery import group

    group(_job().s(DATA) for _ in range(MESSAGES)).apply_async()


def _enqueue_list(topic: str) -> None:
    from motia_django import enqueue

    enqueue([{"topic": topic, "data": DATA} for _ in range(MESSAGES)])


def _enqueue_loop(topic: str) -> None:
    from motia_django import enqueue

    for _ in range(MESSAGES):
        enqueue({"topic": topic, "data": DATA})


def _job() -> Any:
    from benchmarks.contenders.sending.tasks import job

    return job


def _purge() -> None:
    from benchmarks.contenders.sending.celery import app

    purged = app.control.purge()
    assert purged == MESSAGES, f"{purged} messages were there, and not {MESSAGES}"


def main(repeats: str, broker: str, database: str = "") -> None:
    """Print the contest as JSON."""
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    contest = kept(int(repeats), broker, database) if database else light(int(repeats), broker)
    print(json.dumps(asdict(contest)))


if __name__ == "__main__":
    main(*sys.argv[1:])
