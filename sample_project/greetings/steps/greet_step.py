"""GET /greet?name=Ada: the tutorial's first Step."""

from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, Field

from motia_django import AsyncContext, Request


class Query(BaseModel):
    name: str = Field("World", max_length=100, pattern=r"^[^\x00-\x1f]+$")


class Greeting(BaseModel):
    message: str
    timestamp: str


config = {
    "name": "GreetUser",
    "description": "Greets a user and stores the greeting",
    "triggers": [
        {
            "type": "http",
            "method": "GET",
            "path": "/greet",
            "querySchema": Query,
            "responseSchema": {200: Greeting},
        },
    ],
    "enqueues": ["greeting.created"],
    "flows": ["greetings"],
}


async def handler(request: Request, ctx: AsyncContext) -> dict[str, Any]:
    # Extract query parameter
    name = request.query.name

    # Log the action
    ctx.logger.info("Greeting user", {"name": name})

    # Create greeting
    greeting = {"message": f"Hello, {name}!", "timestamp": datetime.now(UTC).isoformat()}

    # Store in state
    await ctx.state.set("greetings", name, greeting)

    # Enqueue for background processing
    await ctx.enqueue({"topic": "greeting.created", "data": greeting})

    # Return HTTP response
    return {"status": 200, "body": greeting}
