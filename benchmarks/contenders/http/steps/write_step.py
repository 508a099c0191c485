"""Keeps a todo in state and sends a message for it, both or none."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from benchmarks.contenders.http.shapes import Todo, answer

config = {
    "name": "Write",
    "triggers": [
        {"type": "http", "method": "POST", "path": "/writes", "bodySchema": Todo},
    ],
    "enqueues": ["todo.written"],
    "atomic": True,
}


def handler(request: Any, ctx: Any) -> dict[str, Any]:
    """Write, send, and answer as the others do."""
    todo = request.body
    ctx.state.set("todos", str(uuid4()), todo.model_dump())
    ctx.enqueue("todo.written", {"title": todo.title, "priority": todo.priority})
    return {"status": 201, "body": answer(todo.title, todo.priority)}
