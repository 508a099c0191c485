"""A Step that takes its time, and tells state when it begins and ends."""

import time
from typing import Any

from motia_django import Context, queue, step

config = step("Slow", triggers=[queue("slow", config={"backoffDelayMs": 10})])


def handler(input: dict[str, Any], ctx: Context) -> None:
    ctx.state.update("slow", input["id"], [{"type": "increment", "path": "begun"}])
    time.sleep(input["seconds"])
    ctx.state.update("slow", input["id"], [{"type": "increment", "path": "ended"}])
