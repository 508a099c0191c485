"""Processes one user of the hourly fan-out."""

from typing import Any

from motia_django import Context, queue, step

config = step(
    "ProcessUser",
    description="Processes one user",
    triggers=[queue("user.process")],
    flows=["users"],
)


def handler(input: dict[str, Any], ctx: Context) -> None:
    ctx.state.update("users", input["userId"], [{"type": "increment", "path": "reminders"}])
    ctx.logger.info("User processed", {"userId": input["userId"]})
