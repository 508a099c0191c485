"""A Step that fails at its first attempt, and invokes another at its second."""

from typing import Any

from motia_django import queue, step

config = step(
    "WatchedWork",
    triggers=[queue("watched.work", config={"maxRetries": 3, "backoffDelayMs": 10})],
)


def handler(input: Any, ctx: Any) -> Any:
    """Fail once."""
    if ctx.attempt == 1:
        raise ConnectionError("not at the first attempt")
    return ctx.invoke("WatchedInner", input)
