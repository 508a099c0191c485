"""Writes apps full of Steps: http with pydantic models or JSON Schema, queue, cron and state."""

from __future__ import annotations

from pathlib import Path

PYDANTIC = '''"""Step {number}: an http trigger with a pydantic model."""

from typing import Any

from pydantic import BaseModel, Field


class Line(BaseModel):
    """A line of an order."""

    sku: str
    count: int = Field(ge=1)
    price: float = 0.0


class Order(BaseModel):
    """What is ordered."""

    title: str = Field(min_length=1)
    lines: list[Line] = []
    note: str = ""


config = {{
    "name": "Step{number}",
    "description": "Takes an order",
    "triggers": [
        {{
            "type": "http",
            "method": "POST",
            "path": "/area{area}/orders{number}/:id",
            "bodySchema": Order,
            "responseSchema": {{201: Order}},
        }}
    ],
    "enqueues": ["topic{number}"],
    "flows": ["flow{area}"],
}}


def handler(request: Any, ctx: Any) -> dict[str, Any]:
    """Take it."""
    ctx.enqueue({{"topic": "topic{number}", "data": {{}}}})
    return {{"status": 201, "body": request.body}}
'''
JSON_SCHEMA = '''"""Step {number}: an http trigger with a JSON Schema."""

from typing import Any

config = {{
    "name": "Step{number}",
    "triggers": [
        {{
            "type": "http",
            "method": "PUT",
            "path": "/area{area}/items{number}",
            "bodySchema": {{
                "type": "object",
                "properties": {{
                    "title": {{"type": "string", "minLength": 1}},
                    "count": {{"type": "integer"}},
                }},
                "required": ["title"],
            }},
        }}
    ],
    "flows": ["flow{area}"],
}}


def handler(request: Any, ctx: Any) -> dict[str, Any]:
    """Take it."""
    return {{"body": request.body}}
'''
QUEUE = '''"""Step {number}: a queue trigger with a pydantic model."""

from typing import Any

from pydantic import BaseModel


class Told(BaseModel):
    """What it is told."""

    id: str = ""
    count: int = 0


config = {{
    "name": "Step{number}",
    "triggers": [
        {{
            "type": "queue",
            "topic": "topic{before}",
            "input": Told,
            "config": {{"maxRetries": 5, "backoffDelayMs": 100}},
        }}
    ],
    "enqueues": [{{"topic": "topic{number}", "label": "next"}}],
    "flows": ["flow{area}"],
}}


async def handler(told: Any, ctx: Any) -> None:
    """Hear it."""
    await ctx.state.set("told", told.id, told.count)
'''
OTHER = '''"""Step {number}: a schedule, and a change of state."""

from typing import Any

config = {{
    "name": "Step{number}",
    "triggers": [
        {{"type": "cron", "cron": "{minute} 3 * * *", "timezone": "Europe/Oslo"}},
        {{"type": "state", "condition": lambda change: change.group_id == "group{number}"}},
    ],
    "enqueues": [],
    "flows": ["flow{area}"],
}}


def handler(input: Any, ctx: Any) -> None:
    """Look after it."""
'''
KINDS = (PYDANTIC, QUEUE, PYDANTIC, QUEUE, JSON_SCHEMA, OTHER)


def write(folder: Path, steps: int, apps: int = 50) -> list[str]:
    """Write so many Steps into so many apps below a folder; return the names of the modules."""
    return [module for app in range(apps) for module in _app(folder, app, range(app, steps, apps))]


def _app(folder: Path, app: int, numbers: range) -> list[str]:
    name = f"app{app:02}"
    (folder / name / "steps").mkdir(parents=True)
    for package in (name, f"{name}/steps"):
        (folder / package / "__init__.py").write_text("")
    for number in numbers:
        text = KINDS[number % len(KINDS)].format(
            number=number, before=number - 1, area=app, minute=number % 60
        )
        (folder / name / "steps" / f"number{number}_step.py").write_text(text)
    return [f"{name}.steps.number{number}_step" for number in numbers]
