"""GET /todos: all todos."""

from typing import Any

from pydantic import BaseModel

from motia_django import AsyncContext, Request


class TodoList(BaseModel):
    todos: list[Any]
    count: int


config = {
    "name": "ListTodos",
    "triggers": [
        {"type": "http", "method": "GET", "path": "/todos", "responseSchema": {200: TodoList}},
    ],
    "flows": ["todos"],
}


async def handler(_: Request, ctx: AsyncContext) -> dict[str, Any]:
    # Get all todos from state
    todos = await ctx.state.list("todos")

    ctx.logger.info("Listed todos", {"count": len(todos)})

    return {"status": 200, "body": {"todos": todos, "count": len(todos)}}
