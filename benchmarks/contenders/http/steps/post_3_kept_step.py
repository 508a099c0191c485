"""The endpoint of 3 fields, each run in the history."""

from __future__ import annotations

from typing import Any

from benchmarks.contenders.http.shapes import Todo, answer

config = {
    "name": "Post3Kept",
    "triggers": [
        {"type": "http", "method": "POST", "path": "/kept/3", "bodySchema": Todo},
    ],
    "record": "all",
}


def handler(request: Any, ctx: Any) -> dict[str, Any]:
    """Answer as the others do."""
    return {"status": 201, "body": answer(request.body.title, request.body.priority)}
