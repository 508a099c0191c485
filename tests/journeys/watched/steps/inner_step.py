"""A Step that others invoke; it fails if it is told to."""

from typing import Any

from motia_django import http, queue, step

config = step(
    "WatchedInner",
    triggers=[
        queue("watched.inner", config={"maxRetries": 1, "backoffDelayMs": 10}),
        http("POST", "/inner"),
    ],
)


def handler(input: Any, ctx: Any) -> Any:
    """Fail if the input says so; its `via` names a Step to be invoked for it."""
    data = input.body if ctx.is_http() else input
    if data.get("via") == "invoke":
        return ctx.invoke("WatchedInner", {**data, "via": ""})
    if data.get("fail"):
        raise LookupError(f"no such {data['fail']}")
    return {"body": {"ok": True}} if ctx.is_http() else None
