"""The endpoint of 60 fields, each run in the history."""

from __future__ import annotations

from typing import Any

from benchmarks.contenders.http.shapes import Order, answer

config = {
    "name": "Post60Kept",
    "triggers": [
        {"type": "http", "method": "POST", "path": "/kept/60", "bodySchema": Order},
    ],
    "record": "all",
}


def handler(request: Any, ctx: Any) -> dict[str, Any]:
    """Answer as the others do."""
    return {"status": 201, "body": answer(request.body.title, request.body.priority)}
