"""Counts the greetings, with an update that no other worker's can overwrite."""

from typing import Any

from motia_django import Context, queue

config = {
    "name": "CountGreeting",
    "description": "Counts how many greetings there were",
    "triggers": [queue("greeting.created")],
    "flows": ["greetings"],
}


def handler(input: dict[str, Any], ctx: Context) -> None:
    counted = ctx.state.update("counters", "greetings", [{"type": "increment", "path": "count"}])
    ctx.logger.info("Greeting counted", {"count": counted["new_value"]["count"]})
