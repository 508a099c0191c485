"""Waits as a coroutine."""

from __future__ import annotations

import asyncio
from typing import Any

config = {
    "name": "Await",
    "triggers": [{"type": "http", "path": "/async-step"}],
    "record": "failures",
}


async def handler(request: Any, ctx: Any) -> dict[str, Any]:
    """Wait as for another service."""
    await asyncio.sleep(1)
    return {"body": {}}
