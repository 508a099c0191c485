"""Which of the promises the package makes yet: what it refuses to read is left out."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from motia_django.steps import read_step

FIFO: dict[str, Any] = {"type": "fifo"}
LIMITED: dict[str, Any] = {"concurrency": 3}


@cache
def atomic() -> bool:
    """Return whether a Step may be atomic."""
    return _reads({"atomic": True})


@cache
def fifo() -> bool:
    """Return whether messages may have an order."""
    return _reads({}, FIFO)


@cache
def limited() -> bool:
    """Return whether a Step's runs may be limited."""
    return _reads({}, LIMITED)


def _reads(step: dict[str, Any], delivery: dict[str, Any] | None = None) -> bool:
    trigger = {"type": "queue", "topic": "x", "config": delivery or {}}
    config = {"name": "X", "triggers": [trigger], **step}
    _, problems = read_step(SimpleNamespace(config=config, handler=print), Path(__file__), "shop")
    return not problems
