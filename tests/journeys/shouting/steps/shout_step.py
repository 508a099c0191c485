"""POST /shout: write an item of the stream."""

from typing import Any

config = {"name": "Shout", "triggers": [{"type": "http", "method": "POST", "path": "/shout"}]}


def handler(request: Any, ctx: Any) -> dict[str, Any]:
    shout = request.body
    ctx.streams.shouts.set(shout["group"], shout["id"], shout)
    return {"status": 200, "body": {}}
