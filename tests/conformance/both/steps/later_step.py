"""Has its runs wait a little before they are tried."""

from typing import Any

from motia_django import Context

config = {
    "name": "Later",
    "triggers": [{"type": "queue", "topic": "both.later", "config": {"delaySeconds": 0.2}}],
}


def handler(input: Any, ctx: Context) -> int:
    return ctx.attempt
