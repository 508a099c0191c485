"""In the background, for every new todo."""

import asyncio

from pydantic import BaseModel

from motia_django import AsyncContext


class TodoCreated(BaseModel):
    todoId: str


config = {
    "name": "ProcessTodo",
    "description": "Background processing for new todos",
    "triggers": [
        {"type": "queue", "topic": "todo.created", "input": TodoCreated},
    ],
    "flows": ["todos"],
}


async def handler(input: TodoCreated, ctx: AsyncContext) -> None:
    # Get todo from state
    todo = await ctx.state.get("todos", input.todoId)

    if not todo:
        ctx.logger.warn("Todo not found", {"todoId": input.todoId})
        return

    ctx.logger.info("Processing todo", {"todoId": input.todoId, "title": todo["title"]})

    # Simulate processing
    await asyncio.sleep(2)

    ctx.logger.info("Todo processed", {"todoId": input.todoId})
