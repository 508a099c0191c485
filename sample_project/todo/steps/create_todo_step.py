"""POST /todos: store a todo and hand it to the background."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from pydantic import BaseModel, Field

from motia_django import AsyncContext, Request


class NewTodo(BaseModel):
    title: str = Field(min_length=1)
    description: str | None = None


class Todo(BaseModel):
    id: str
    title: str
    description: str | None = None
    completed: bool
    createdAt: str


config = {
    "name": "CreateTodo",
    "triggers": [
        {
            "type": "http",
            "method": "POST",
            "path": "/todos",
            "bodySchema": NewTodo,
            "responseSchema": {201: Todo},
        },
    ],
    "enqueues": ["todo.created"],
    "flows": ["todos"],
}


async def handler(request: Request, ctx: AsyncContext) -> dict[str, Any]:
    todo_id = str(uuid4())
    todo = {
        "id": todo_id,
        "title": request.body.title,
        "description": request.body.description or "",
        "completed": False,
        "createdAt": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }

    # Store in state
    await ctx.state.set("todos", todo_id, todo)

    # Enqueue for background processing
    await ctx.enqueue({"topic": "todo.created", "data": {"todoId": todo_id}})

    ctx.logger.info("Todo created", {"id": todo_id, "title": request.body.title})

    return {"status": 201, "body": todo}
