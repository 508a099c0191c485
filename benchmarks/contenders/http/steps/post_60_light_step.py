"""The endpoint of 60 fields, only failures in the history."""

from __future__ import annotations

from typing import Any

from benchmarks.contenders.http.shapes import Order, answer

config = {
    "name": "Post60Light",
    "triggers": [
        {"type": "http", "method": "POST", "path": "/light/60", "bodySchema": Order},
    ],
    "record": "failures",
}


def handler(request: Any, ctx: Any) -> dict[str, Any]:
    """Answer as the others do."""
    return {"status": 201, "body": answer(request.body.title, request.body.priority)}
