"""Once a day."""

from datetime import datetime
from typing import Any

from motia_django import Context

config = {
    "name": "Daily",
    "triggers": [{"type": "cron", "schedule": "0 3 * * *"}],
    "enqueues": ["both.leaves"],
}


def handler(_: Any, ctx: Context) -> None:
    due = ctx.trigger.scheduled_time
    assert isinstance(due, datetime)
    ctx.enqueue({"topic": "both.leaves", "data": {"n": due.day}})
