"""Waits in a thread."""

from __future__ import annotations

import time
from typing import Any

config = {
    "name": "Sleep",
    "triggers": [{"type": "http", "path": "/step"}],
    "record": "failures",
}


def handler(request: Any, ctx: Any) -> dict[str, Any]:
    """Wait as for another service."""
    time.sleep(1)
    return {"body": {}}
