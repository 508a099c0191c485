"""In the background, for every new todo: tell the benchmark that it was processed."""

import os
from pathlib import Path

from pydantic import BaseModel

from motia_django import AsyncContext


class TodoCreated(BaseModel):
    todoId: str


config = {
    "name": "ProcessTodo",
    "triggers": [{"type": "queue", "topic": "todo.created", "input": TodoCreated}],
    "flows": ["todos"],
}


async def handler(input: TodoCreated, ctx: AsyncContext) -> None:
    todo = await ctx.state.get("todos", input.todoId)
    ctx.logger.info("Processing todo", {"todoId": input.todoId, "title": todo["title"]})
    with Path(os.environ["TODOS_DONE"]).open("a") as done:
        done.write(f"{input.todoId}\n")
