"""The endpoint of 3 fields, only failures in the history."""

from __future__ import annotations

from typing import Any

from benchmarks.contenders.http.shapes import Todo, answer

config = {
    "name": "Post3Light",
    "triggers": [
        {"type": "http", "method": "POST", "path": "/light/3", "bodySchema": Todo},
    ],
    "record": "failures",
}


def handler(request: Any, ctx: Any) -> dict[str, Any]:
    """Answer as the others do."""
    return {"status": 201, "body": answer(request.body.title, request.body.priority)}
