"""In order: the messages of a group one after the other, retries included."""

from typing import Any

from benchmarks.chaos.project.shop import presence, work
from motia_django import Context, queue, step

config = step("Fifo", triggers=[queue("fifo", config=work.RETRIES | {"type": "fifo"})])


def handler(data: dict[str, Any], ctx: Context) -> None:
    message = work.message_of(data, "fifo")
    with presence.present(f"group {message.group}", message, ctx.attempt):
        work.take_a_while(message)
        work.fail_at_first(message, ctx)
        work.leave_effect(message, ctx)
