"""Is recorded if it fails only; the first attempt does."""

from typing import Any

from motia_django import Context

config = {
    "name": "Light",
    "triggers": [{"type": "queue", "topic": "both.light", "config": {"backoffDelayMs": 10}}],
    "record": "failures",
}


def handler(input: Any, ctx: Context) -> None:
    if input["fails"] and ctx.attempt == 1:
        raise TimeoutError("not yet")
