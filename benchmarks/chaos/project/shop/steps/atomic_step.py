"""Exactly once in effect: its row, its message and its change of state commit with its run."""

from typing import Any

from benchmarks.chaos.project.shop import work
from motia_django import Context, queue

config: dict[str, Any] = {
    "name": "Atomic",
    "triggers": [queue("atomic", config=work.RETRIES)],
    "enqueues": ["receipt"],
    "atomic": True,
}


def handler(data: dict[str, Any], ctx: Context) -> None:
    message = work.message_of(data, "atomic")
    work.leave_effect(message, ctx)
    ctx.enqueue({"topic": "receipt", "data": data})
    work.take_a_while(message)
    count = [{"type": "increment", "path": "count"}]
    ctx.state.update("atomic", str(message.number % 16), count)
    work.fail_at_first(message, ctx)
