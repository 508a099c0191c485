"""Hears of what the atomic Step did: as many runs as there were effects."""

from typing import Any

from benchmarks.chaos.project.shop import work
from motia_django import Context, queue, step

config = step("Receipt", triggers=[queue("receipt", config=work.RETRIES)])


def handler(data: dict[str, Any], ctx: Context) -> None:
    work.leave_effect(work.message_of(data, "receipt"), ctx)
