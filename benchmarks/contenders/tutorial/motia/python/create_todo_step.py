"""POST /todos for Motia 0.17: store a todo and hand it to the background."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

config = {
    "type": "api",
    "name": "CreateTodo",
    "method": "POST",
    "path": "/todos",
    "bodySchema": {
        "type": "object",
        "properties": {"title": {"type": "string"}, "description": {"type": "string"}},
        "required": ["title"],
    },
    "emits": ["todo.created"],
    "flows": ["todos"],
}


async def handler(request: Any, context: Any) -> dict[str, Any]:
    body = request["body"]
    todo = {
        "id": str(uuid4()),
        "title": body["title"],
        "description": body.get("description", ""),
        "completed": False,
        "createdAt": datetime.now(UTC).isoformat(),
    }
    await context.state.set("todos", todo["id"], todo)
    await context.emit({"topic": "todo.created", "data": {"todoId": todo["id"]}})
    context.logger.info("Todo created", {"id": todo["id"], "title": todo["title"]})
    return {"status": 201, "body": todo}
