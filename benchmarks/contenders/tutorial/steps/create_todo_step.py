"""POST /todos: store a todo and hand it to the background."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from pydantic import BaseModel, Field

from motia_django import AsyncContext, Request


class NewTodo(BaseModel):
    title: str = Field(min_length=1)
    description: str | None = None


config = {
    "name": "CreateTodo",
    "triggers": [{"type": "http", "method": "POST", "path": "/todos", "bodySchema": NewTodo}],
    "enqueues": ["todo.created"],
    "flows": ["todos"],
}


async def handler(request: Request, ctx: AsyncContext) -> dict[str, Any]:
    todo = {
        "id": str(uuid4()),
        "title": request.body.title,
        "description": request.body.description or "",
        "completed": False,
        "createdAt": datetime.now(UTC).isoformat(),
    }
    await ctx.state.set("todos", todo["id"], todo)
    await ctx.enqueue({"topic": "todo.created", "data": {"todoId": todo["id"]}})
    ctx.logger.info("Todo created", {"id": todo["id"], "title": todo["title"]})
    return {"status": 201, "body": todo}
