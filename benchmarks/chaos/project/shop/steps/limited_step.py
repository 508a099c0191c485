"""A few at once, over all workers."""

from typing import Any

from benchmarks.chaos.plan import CONCURRENCY
from benchmarks.chaos.project.shop import presence, work
from motia_django import Context, queue, step

delivery = work.RETRIES | {"concurrency": CONCURRENCY}
config = step("Limited", triggers=[queue("limited", config=delivery)])


def handler(data: dict[str, Any], ctx: Context) -> None:
    message = work.message_of(data, "limited")
    with presence.present("limited", message, ctx.attempt):
        work.take_a_while(message)
        work.fail_at_first(message, ctx)
        work.leave_effect(message, ctx)
