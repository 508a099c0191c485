"""What is done to the Steps, by public functions alone, and what then is told of it."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.test import Client

from motia_django import enqueue, ledger, state, ticks
from motia_django.runs import UNFINISHED
from motia_django.testing import Ran, Trace

_PATIENCE = 60.0


def play() -> None:
    """Start Steps of every kind, from outside."""
    Client().post("/both", {"n": 1}, content_type="application/json")
    for topic in ("retried", "hopeless", "spent", "later", "calls", "whole"):
        enqueue(f"both.{topic}", {"n": 1})
    for amount in (5, 50, "much"):
        enqueue("both.amounts", {"amount": amount})
    for fails in (True, False):
        enqueue("both.light", {"fails": fails})
    ticks.tick("Daily", 0, datetime(2026, 1, 5, 3, tzinfo=UTC))
    with transaction.atomic():
        for n in range(4):
            enqueue("both.ordered", {"n": n}, messageGroupId="a")
        for _ in range(2):
            enqueue("both.leaves", {"n": 7}, dedupeKey="seven")
    with transaction.atomic():
        enqueue("both.leaves", {"n": 8})
        transaction.set_rollback(True)


def told() -> dict[str, Any]:
    """Return what the ledger, the state and the stream tell afterwards, the same each time."""
    traces: dict[str, list[Ran]] = {}
    for row in ledger.rows():
        traces.setdefault(row.trace_id, []).append(Ran.of_row(row))
    groups = ("both.items", "both.leaves", "both.order")
    return {
        "traces": sorted(Trace(runs).in_full() for runs in traces.values()),
        "state": {group: [[*pair] for pair in state.items(group)] for group in groups},
    }


def main() -> None:
    """Play with real workers: wait until all is over, and print what is told."""
    play()
    deadline = time.monotonic() + _PATIENCE
    while not _is_over() and time.monotonic() < deadline:
        time.sleep(0.1)
    sys.stdout.write(json.dumps(told()))


def _is_over() -> bool:
    """Return whether nothing is to be done any more, and the request is in the history."""
    light = ledger.rows(step="Light")
    return (
        light.exists()
        and ledger.rows(trigger="http").exists()
        and not ledger.rows(status__in=UNFINISHED).exists()
    )
