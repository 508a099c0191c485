"""Hears of the todos that were written; nobody works its runs off here."""

from __future__ import annotations

from typing import Any

config = {"name": "Process", "triggers": [{"type": "queue", "topic": "todo.written"}]}


def handler(input: Any, ctx: Any) -> None:
    """Do nothing."""
