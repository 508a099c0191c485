"""A Step whose runs are kept in the ledger."""

from typing import Any

config = {"name": "Kept", "triggers": [{"type": "queue", "topic": "kept"}]}


def handler(data: Any) -> None:
    """Do nothing."""
