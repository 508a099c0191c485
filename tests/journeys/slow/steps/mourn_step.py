"""A Step that hears of the runs that have killed every worker."""

from typing import Any

from motia_django import Context, queue, step

config = step("Mourn", triggers=[queue("deadly.died", config={"backoffDelayMs": 10})])


def handler(input: dict[str, Any], ctx: Context) -> None:
    ctx.state.update("mourned", input["runId"], [{"type": "increment", "path": "times"}])
