"""Motia projects, one in each dialect, that write a stream; each is imported into an app.

In each, a request makes an item, a second Step finishes it in a worker, and another request sends
events and deletes it. Each stream lets in whom its group is named after.
"""

from __future__ import annotations

import os
from pathlib import Path
from textwrap import dedent

from tests.journeys.running import Project

FLAT = {
    "steps/todos/todos.stream.py": """
        async def can_access(subscription, auth_context):
            if not auth_context:
                return False
            return auth_context.get("userId") == subscription["groupId"]


        config = {
            "name": "flat_todos",
            "schema": {
                "type": "object",
                "properties": {"title": {"type": "string"}, "done": {"type": "boolean"}},
                "required": ["title", "done"],
            },
            "baseConfig": {"storageType": "state"},
            "canAccess": can_access,
        }
    """,
    "steps/todos/write-todo.step.py": """
        config = {
            "type": "api",
            "name": "flat: write",
            "path": "/flat/todos/:group",
            "method": "POST",
            "emits": ["flat.written"],
        }


        async def handler(req, context):
            group = req["pathParams"]["group"]
            todo = {"id": "t1", "title": req["body"]["title"], "done": False}
            made = await context.streams.flat_todos.set(group, "t1", todo)
            await context.emit({"topic": "flat.written", "data": {"group": group, "todo": made}})
            return {"status": 201, "body": made}
    """,
    "steps/todos/finish_todo_step.py": """
        config = {
            "type": "event", "name": "flat: finish", "subscribes": ["flat.written"], "emits": [],
        }


        async def handler(input, context):
            todos = context.streams["flat_todos"]
            todo = await todos.get(input["group"], input["todo"]["id"])
            await todos.set(input["group"], todo["id"], {**todo, "done": True})
    """,
    "steps/todos/clear-todo.step.py": """
        config = {
            "type": "api",
            "name": "flat: clear",
            "path": "/flat/todos/:group",
            "method": "DELETE",
            "emits": [],
        }


        async def handler(req, context):
            group, todos = req["pathParams"]["group"], context.streams.flat_todos
            await todos.send({"groupId": group}, {"type": "typing", "data": {"who": "all"}})
            one = {"groupId": group, "id": "t1"}
            await todos.send(one, {"type": "typing", "data": {"who": "one"}})
            return {"status": 200, "body": await todos.delete(group, "t1")}
    """,
}

ALPHA = {
    "src/todos_stream.py": """
        from pydantic import BaseModel


        class Todo(BaseModel):
            id: str
            title: str
            done: bool = False


        config = {
            "name": "alpha_todos",
            "schema": Todo.model_json_schema(),
            "baseConfig": {"storageType": "default"},
            "canAccess": lambda subscription, auth: auth["userId"] == subscription.group_id,
        }
    """,
    "src/write_todo_step.py": """
        from typing import Any

        from motia import ApiRequest, ApiResponse, FlowContext, api

        config = {
            "name": "alpha: write",
            "triggers": [api("POST", "/alpha/todos/:group")],
            "emits": ["alpha.written"],
        }


        async def handler(request: ApiRequest[dict], ctx: FlowContext[Any]) -> ApiResponse[Any]:
            group = request.path_params["group"]
            todo = {"id": "t1", "title": request.body["title"], "done": False}
            await ctx.streams.alpha_todos.set(group, "t1", todo)
            await ctx.emit({"topic": "alpha.written", "data": {"group": group, "id": "t1"}})
            return ApiResponse(status=201, body=todo)
    """,
    "src/finish_todo_step.py": """
        config = {
            "name": "alpha: finish",
            "triggers": [{"type": "event", "topic": "alpha.written"}],
            "emits": [],
        }


        async def handler(input_data, ctx):
            group, name = input_data.get("group"), input_data.get("id")
            todo = await ctx.streams.alpha_todos.get(group, name)
            todo["done"] = True
            await ctx.streams.alpha_todos.set(group, name, todo)
    """,
    "src/clear_todo_step.py": """
        from motia import FlowContext, api

        config = {
            "name": "alpha: clear",
            "triggers": [api("DELETE", "/alpha/todos/:group")],
            "emits": [],
        }


        async def handler(req, ctx: FlowContext):
            group, todos = req.get("pathParams").get("group"), ctx.streams.alpha_todos
            await todos.send({"groupId": group}, {"type": "typing", "data": {"who": "all"}})
            one = {"groupId": group, "id": "t1"}
            await todos.send(one, {"type": "typing", "data": {"who": "one"}})
            await todos.delete(group, "t1")
            return {"status": 200, "body": {}}
    """,
}

RELEASE = {
    "steps/todos_stream.py": """
        from typing import Any

        from motia import FlowContext, StreamConfig, StreamSubscription


        async def on_join(
            subscription: StreamSubscription, context: FlowContext, auth_context: Any
        ) -> dict[str, bool]:
            context.logger.info("Somebody joins", {"group": subscription.group_id})
            who = auth_context.get("userId") if auth_context else None
            return {"unauthorized": who != subscription.group_id}


        config = StreamConfig(
            name="release_todos", baseConfig={"storageType": "default"}, onJoin=on_join
        )
    """,
    "steps/write_todo_step.py": """
        from typing import Any

        from motia import ApiRequest, ApiResponse, Stream, http

        todos: Stream[dict[str, Any]] = Stream("release_todos")

        config = {
            "name": "release: write",
            "triggers": [http("POST", "/release/todos/:group")],
            "enqueues": [],
        }


        async def handler(request: ApiRequest[dict[str, Any]]) -> ApiResponse[Any]:
            todo = {"id": "t1", "title": request.body["title"], "done": False}
            await todos.set(request.path_params["group"], "t1", todo)
            return ApiResponse(status=201, body=todo)
    """,
    "steps/finish_todo_step.py": """
        from motia import FlowContext, Stream, StreamTriggerInput, stream

        todos = Stream("release_todos")

        config = {
            "name": "release: finish",
            "triggers": [
                stream("release_todos", condition=lambda input, ctx: input.event.type == "create")
            ],
            "enqueues": [],
        }


        async def handler(input: StreamTriggerInput, ctx: FlowContext) -> None:
            done = {"type": "set", "path": "done", "value": True}
            await todos.update(input.group_id, input.id, [done])
    """,
    "steps/clear_todo_step.py": """
        from motia import ApiRequest, ApiResponse, Stream, http

        todos = Stream("release_todos")

        config = {
            "name": "release: clear",
            "triggers": [http("DELETE", "/release/todos/:group")],
            "enqueues": [],
        }


        def handler(request: ApiRequest) -> ApiResponse:
            group = request.path_params["group"]
            todos.send({"groupId": group}, {"type": "typing", "data": {"who": "all"}})
            one = {"groupId": group, "id": "t1"}
            todos.send(one, {"type": "typing", "data": {"who": "one"}})
            todos.delete(group, "t1")
            return ApiResponse(status=200, body={})
    """,
}

PROJECTS = {"flat": FLAT, "alpha": ALPHA, "release": RELEASE}


def bring_in(project: Project, folder: Path) -> None:
    """Import each Motia project into an empty app of its own, below a folder, by our command."""
    before = project.environment.get("PYTHONPATH", "")
    project.environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(folder), before)))
    for dialect, files in PROJECTS.items():
        _write(folder / f"{dialect}_shop", {"__init__.py": ""})
        _write(folder / f"projects/{dialect}", files)
    for dialect in PROJECTS:
        source, app = folder / f"projects/{dialect}", f"{dialect}_shop"
        report = project.look("import", str(source), "--app", app)
        assert "loads as 3 Steps and 1 stream." in report, report


def _write(folder: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
