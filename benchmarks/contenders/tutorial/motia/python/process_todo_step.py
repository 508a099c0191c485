"""In the background, for every new todo: tell the benchmark that it was processed."""

import os
from pathlib import Path
from typing import Any

config = {
    "type": "event",
    "name": "ProcessTodo",
    "subscribes": ["todo.created"],
    "emits": [],
    "input": {"type": "object", "properties": {"todoId": {"type": "string"}}},
    "flows": ["todos"],
}


async def handler(input: Any, context: Any) -> None:
    todo = (await context.state.get("todos", input["todoId"]))["data"]  # so it comes in Python
    context.logger.info("Processing todo", {"todoId": input["todoId"], "title": todo["title"]})
    with Path(os.environ["TODOS_DONE"]).open("a") as done:
        done.write(f"{input['todoId']}\n")
