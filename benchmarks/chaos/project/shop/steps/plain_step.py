"""At least once: a Step as most are."""

from typing import Any

from benchmarks.chaos.project.shop import work
from motia_django import Context, queue, step

config = step("Plain", triggers=[queue("plain", config=work.RETRIES)])


def handler(data: dict[str, Any], ctx: Context) -> None:
    message = work.message_of(data, "plain")
    work.take_a_while(message, sometimes_long=True)
    work.fail_at_first(message, ctx)
    work.leave_effect(message, ctx)
